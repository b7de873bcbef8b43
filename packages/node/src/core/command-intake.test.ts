import type { Command } from "@halon/protocol";
import { expect, test } from "vitest";
import { CommandIntake } from "./command-intake.ts";

function command(id: string, epoch = 1): Command {
  const action = { type: "CheckService" as const, service: "web", instance: "web@node-1#1" };
  return { id, epoch, node: "node-1", deadline: 1_000, action };
}

test("a command is begun once, however often it is sent", () => {
  const intake = new CommandIntake();
  expect(intake.take(command("1.1"))).toEqual({ type: "begin" });
  expect(intake.take(command("1.1"))).toEqual({ type: "known" });
});

test("a command of a deposed coordinator is refused", () => {
  const intake = new CommandIntake();
  intake.take(command("7.1", 3));
  expect(intake.take(command("6.1", 2))).toMatchObject({
    type: "stale",
    code: "HAL_COMMAND_STALE",
  });
});

test("a command that was begun is known, also when a deposed coordinator sends it again", () => {
  const intake = new CommandIntake();
  intake.take(command("6.1", 2));
  intake.take(command("7.1", 3));
  expect(intake.take(command("6.1", 2))).toEqual({ type: "known" });
});

test("a node that a coordinator has taken in begins nothing of an earlier one, nor is taken in by it", () => {
  const intake = new CommandIntake();
  expect(intake.follow(3)).toBe(true);
  expect(intake.take(command("6.1", 2))).toMatchObject({ type: "stale" });
  expect(intake.follow(2)).toBe(false);
  expect(intake.take(command("6.1", 3))).toEqual({ type: "begin" });
});

test("the last command begun is the latest decided, in whatever order they arrive", () => {
  const intake = new CommandIntake();
  expect(intake.last).toBeNull();
  intake.take(command("10.1"));
  intake.take(command("9.2"));
  expect(intake.last).toBe("10.1");
});

test("a node that stops begins nothing more", () => {
  const intake = new CommandIntake();
  intake.stop();
  expect(intake.take(command("1.1"))).toMatchObject({ type: "refuse" });
  expect(intake.last).toBeNull();
});

import { expect, test } from "vitest";
import type { Outcome } from "./action.ts";
import { advance, type Life, type LifeEffect, type LifeInput, unborn } from "./life.ts";
import { judge } from "./verdict.ts";

const actions = new Set(["start", "stop", "monitor", "validate-all", "promote"]);

/** Runs inputs one after the other; gives every effect, a word each. */
function play(...inputs: readonly LifeInput[]): { readonly life: Life; readonly did: string[] } {
  let life: Life = unborn;
  const did: string[] = [];
  for (const input of inputs) {
    const [next, effects] = advance(life, input, actions);
    life = next;
    did.push(...effects.map(word));
  }
  return { life, did };
}

function word(effect: LifeEffect): string {
  switch (effect.type) {
    case "call":
      return effect.probe ? "probe" : effect.action;
    case "report":
      return effect.event.type.toUpperCase();
    case "endProcesses":
      return effect.gentle ? "end" : "kill";
    default:
      return effect.type;
  }
}

const begin: LifeInput = { type: "begin", adopted: false };
const adopt: LifeInput = { type: "begin", adopted: true };
const stop: LifeInput = { type: "stop" };
const kill: LifeInput = { type: "kill" };
const look: LifeInput = { type: "look", fresh: true };
const gone: LifeInput = { type: "killed", left: [] };
const ended = (outcome: Outcome): LifeInput => ({
  type: "returned",
  verdict: judge("an action", outcome),
});
const code = (number: number) => ended({ type: "returned", code: number, lines: [] });
const late = ended({ type: "late", timeoutMs: 100, lines: [] });
const dropped = ended({ type: "dropped" });
/** To the state of running, without anything under way. */
const up = [begin, code(0), code(0)];

test.each([
  {
    name: "a start: validate, probe, start, monitor",
    inputs: [begin, code(0), code(7), code(0), code(0)],
    did: "validate-all LOADED probe start monitor watch READY",
  },
  {
    name: "what runs is taken over",
    inputs: [begin, code(0), code(8)],
    did: "validate-all LOADED probe watch READY",
  },
  {
    name: "what is failed is stopped first",
    inputs: [begin, code(0), code(1), code(0)],
    did: "validate-all LOADED probe stop start",
  },
  {
    name: "a bad configuration ends before anything is started",
    inputs: [begin, code(6)],
    did: "validate-all PROBLEM EXITED",
  },
  {
    name: "a failed start is stopped, and the monitor confirms it",
    inputs: [begin, code(0), code(7), code(1), code(0), code(7), gone],
    did: "validate-all LOADED probe start PROBLEM stop probe end EXITED",
  },
  {
    name: "after the start it is asked until it runs",
    inputs: [begin, code(0), code(7), code(0), code(7), { type: "resume" }, code(0)] as LifeInput[],
    did: "validate-all LOADED probe start monitor pause monitor watch READY",
  },
  {
    name: "a start that never shows is given up",
    inputs: [begin, code(0), code(7), code(0), code(7), { type: "late" }] as LifeInput[],
    did: "validate-all LOADED probe start monitor pause PROBLEM stop",
  },
  {
    name: "a stop: stop, monitor, and what is left",
    inputs: [...up, stop, code(0), code(7), gone],
    did: "validate-all LOADED probe watch READY stop probe end EXITED",
  },
  {
    name: "a stop waits for no monitor",
    inputs: [...up, look, stop, dropped],
    did: "validate-all LOADED probe watch READY monitor drop stop",
  },
  {
    name: "what does not run any more is cleared away",
    inputs: [...up, look, code(7), gone, code(0), code(7), gone],
    did: "validate-all LOADED probe watch READY monitor PROBLEM kill stop probe kill EXITED",
  },
  {
    name: "what hangs is killed before it is asked to stop",
    inputs: [...up, look, late, gone],
    did: "validate-all LOADED probe watch READY monitor PROBLEM kill stop",
  },
  {
    name: "what fails is asked to stop",
    inputs: [...up, look, code(1)],
    did: "validate-all LOADED probe watch READY monitor PROBLEM stop",
  },
  {
    name: "what is ended by force is not asked first",
    inputs: [...up, kill, gone],
    did: "validate-all LOADED probe watch READY kill stop",
  },
  {
    name: "a kill after a failure does not cut its stop short",
    inputs: [...up, look, code(1), kill],
    did: "validate-all LOADED probe watch READY monitor PROBLEM stop",
  },
  {
    name: "a kill after a stop that was asked for does",
    inputs: [...up, stop, kill, dropped, gone],
    did: "validate-all LOADED probe watch READY stop drop kill stop",
  },
  {
    name: "an agent that lies is asked twice, and not a third time",
    inputs: [...up, stop, code(0), code(0), gone, gone, code(0), code(0), gone],
    did: "validate-all LOADED probe watch READY stop probe end kill stop probe kill EXITED",
  },
  {
    name: "what is adopted is asked at once",
    inputs: [adopt],
    did: "LOADED watch READY monitor",
  },
  {
    name: "what happens during a call is looked at after it",
    inputs: [...up, { type: "act", action: "promote" }, look, code(0), code(0)] as LifeInput[],
    did: "validate-all LOADED probe watch READY promote monitor",
  },
])("$name", ({ inputs, did }) => {
  expect(play(...inputs).did.join(" ")).toBe(did);
});

test("what cannot be ended is not said to have ended; each further kill tries again", () => {
  const left: LifeInput = { type: "killed", left: [7] };
  const stuck = play(...up, stop, code(0), code(0), left);
  expect(stuck.life).toMatchObject({ at: "ending", busy: "stuck" });
  const again = play(...up, stop, code(0), code(0), left, kill, gone, code(0), code(7), gone);
  expect(again.life).toEqual({ at: "ended" });
});

test("no sequence of inputs leads to two calls at a time, two ends, or anything after the end", () => {
  const inputs: readonly LifeInput[] = [
    ...[0, 1, 3, 5, 6, 7, 8, 77].map(code),
    late,
    gone,
    { type: "killed", left: [7] },
    { type: "resume" },
    { type: "late" },
    { type: "act", action: "promote" },
    look,
    stop,
    kill,
  ];
  let seed = 1;
  const next = (bound: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % bound;
  };
  for (let run = 0; run < 3_000; run += 1) {
    let life: Life = unborn;
    let underWay = 0;
    let exits = 0;
    const take = (input: LifeInput) => {
      const [after, effects] = advance(life, input, actions);
      life = after;
      for (const effect of effects) {
        expect(exits, "an effect after the end").toBe(0);
        if (effect.type === "call" || effect.type === "endProcesses") underWay += 1;
        if (effect.type === "report" && effect.event.type === "exited") exits += 1;
      }
      expect(underWay).toBeLessThanOrEqual(1);
    };
    take(run % 5 === 0 ? adopt : begin);
    for (let step = 0; step < 25; step += 1) {
      const input = inputs[next(inputs.length)] ?? kill;
      // The driver reports the end of what is under way, and of nothing else.
      const isEnd = input.type === "returned" || input.type === "killed";
      const wantsKilled = life.at === "ending" && (life.busy === "kill" || life.busy === "rest");
      if (isEnd && (underWay === 0 || (input.type === "killed") !== wantsKilled)) continue;
      if (isEnd) underWay = 0;
      if (input.type === "resume" && !(life.at === "arriving" && life.busy === "pause")) continue;
      take(input);
    }
    expect(exits).toBeLessThanOrEqual(1);
  }
});

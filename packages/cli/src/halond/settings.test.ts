import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { environmentSettings, layered } from "./settings.ts";
import { readSettingsFile } from "./settings-file.ts";

const directory = mkdtempSync(join(tmpdir(), "halond-settings-"));

afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, "halond.yaml");
  writeFileSync(path, text);
  return path;
}

test("flags win over the environment, and that over the file", () => {
  const path = file("name: from-file\nlisten: 127.0.0.1:1\nlog:\n  level: debug\n");
  const env = environmentSettings({ HALON_NAME: "from-env", HALON_LISTEN: "127.0.0.1:2" });
  expect(layered([{ name: "from-flag" }, env, readSettingsFile(path)])).toMatchObject({
    name: "from-flag",
    listen: "127.0.0.1:2",
    logLevel: "debug",
  });
});

test("lists of the environment are separated by commas", () => {
  const env = environmentSettings({ HALON_LABEL: "zone=a,disk=ssd", HALON_INSECURE: "true" });
  expect(env).toMatchObject({ label: ["zone=a", "disk=ssd"], insecure: true });
});

test("labels of a file are fields", () => {
  expect(readSettingsFile(file("label: {zone: a, rack: 4}")).label).toEqual(["zone=a", "rack=4"]);
});

test.each([
  ["lisen: 127.0.0.1:1", "lisen"],
  ["log: {levl: debug}", "levl"],
  ["name: No Name", "name"],
  ["name: [", "cannot be read"],
])("the file %j is refused and names what is wrong", (text, named) => {
  expect(() => readSettingsFile(file(text))).toThrow(
    expect.objectContaining({ code: "HAL_USAGE", message: expect.stringContaining(named) }),
  );
});

test("a file that is not there is an error when it was named", () => {
  expect(() => readSettingsFile(join(directory, "none"))).toThrow(/cannot be read/);
});

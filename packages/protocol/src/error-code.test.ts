import { expect, test } from "vitest";
import { fromErrorData, HalonError, toErrorData } from "./error-code.ts";

test("an error keeps code, message and details across a thread", () => {
  const error = new HalonError("HAL_NAME_TAKEN", "web@node-1 is held", {
    details: { holder: "web@node-1#2" },
  });
  const back = fromErrorData(structuredClone(toErrorData(error)));
  expect(back).toBeInstanceOf(HalonError);
  expect(back).toMatchObject({
    code: "HAL_NAME_TAKEN",
    message: "web@node-1 is held",
    details: { holder: "web@node-1#2" },
  });
});

test.each([
  { thrown: new TypeError("x is not a function"), message: "x is not a function" },
  { thrown: "text", message: "text" },
  { thrown: undefined, message: "undefined" },
])("what is no HalonError is a bug in Halon: $message", ({ thrown, message }) => {
  expect(toErrorData(thrown)).toEqual({ code: "HAL_INTERNAL", message });
});

test("the cause stays reachable, and absent when there is none", () => {
  const cause = new Error("ENOSPC");
  expect(new HalonError("HAL_STORE_FAILED", "append failed", { cause }).cause).toBe(cause);
  expect("cause" in new HalonError("HAL_STORE_FAILED", "append failed")).toBe(false);
});

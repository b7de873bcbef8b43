import { events } from "@halon/protocol";

const refusal =
  "Function() is not there for rule files; what a rule does depends on its events alone";

/**
 * Keeps rule files from what their realm lacks where they get objects of this thread: its compilers, and its shared prototype.
 *
 * It is no wall against code that means harm. Called once, after all is loaded that may extend prototypes.
 */
export function hardenThread(): void {
  const kinds = [
    (): undefined => undefined,
    async () => undefined,
    function* () {
      yield 0;
    },
    async function* () {
      yield 0;
    },
  ];
  for (const kind of kinds) {
    const prototype: object = Object.getPrototypeOf(kind);
    const refuse = (): never => {
      throw new Error(refusal);
    };
    refuse.prototype = prototype;
    Object.defineProperty(prototype, "constructor", { value: refuse, writable: false });
  }
  Object.preventExtensions(Object.prototype);
  for (const event of Object.values(events)) Object.freeze(event);
}

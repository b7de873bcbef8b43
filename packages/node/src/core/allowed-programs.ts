/** A program that rules may have this node run, as the file of `halond --allow-run` has it. */
export interface AllowedProgram {
  /** Program and first arguments; those of the rule come after them. */
  readonly command: readonly [string, ...string[]];
  /** It is ended then, or at the deadline of the rule, whichever comes first. */
  readonly timeoutMs: number;
  /** What arguments a rule may give. */
  readonly args: {
    readonly max: number;
    /** Each has to match it from its beginning to its end. */
    readonly pattern?: RegExp;
  };
  /** Beside what every program gets of the environment of `halond`. */
  readonly env: Readonly<Record<string, string>>;
}

/** By name. */
export type AllowedPrograms = ReadonlyMap<string, AllowedProgram>;

/** What is run for a rule, or why nothing is. */
export type Permission =
  | {
      readonly type: "run";
      readonly file: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
    }
  | { readonly type: "refuse"; readonly reason: string };

/** Decides whether a rule may have this run. */
export function permit(
  allowed: AllowedPrograms,
  {
    name,
    args,
    timeoutMs,
  }: { readonly name: string; readonly args: readonly string[]; readonly timeoutMs: number },
): Permission {
  const program = allowed.get(name);
  if (program === undefined) return { type: "refuse", reason: unknownReason(allowed, name) };
  const { max, pattern } = program.args;
  if (args.length > max) {
    const reason = `${name} takes ${max} arguments at most here, the rule gives ${args.length}; see \`args.max\` in the file of --allow-run`;
    return { type: "refuse", reason };
  }
  const strange = pattern === undefined ? -1 : args.findIndex((arg) => !pattern.test(arg));
  if (strange !== -1) {
    const reason = `argument ${strange + 1} of ${name} does not match \`args.pattern\` in the file of --allow-run`;
    return { type: "refuse", reason };
  }
  const [file, ...first] = program.command;
  return {
    type: "run",
    file,
    args: [...first, ...args],
    env: program.env,
    timeoutMs: Math.min(timeoutMs, program.timeoutMs),
  };
}

function unknownReason(allowed: AllowedPrograms, name: string): string {
  if (allowed.size === 0)
    return `no program may be run on this node; name ${name} in a file and start halond with --allow-run FILE`;
  const names = [...allowed.keys()].sort().slice(0, 20).join(", ");
  return `${name} is not among the programs that may be run on this node: ${names}; add it to the file of --allow-run and start halond again`;
}

/** The files of a new project, by name. */
export function projectFiles(): Readonly<Record<string, string>> {
  return {
    "hello.service.ts": helloService,
    "recovery.rules.ts": recoveryRules,
    "cluster.ts": cluster,
    "hello.test.ts": helloTest,
    "tsconfig.json": tsconfig,
    ".gitignore": "node_modules/\nhalon-data/\n",
  };
}

const helloService = `import { defineService, z } from "@halon/service";

export function greet(greeting: string, name: string): string {
  return \`\${greeting}, \${name}\`;
}

export default defineService({
  name: "hello",
  version: "1.0.0",
  config: z.object({ greeting: z.string().min(1).default("Hello") }),
  async start(context) {
    let greeted = 0;
    context.log(greet(context.config.greeting, context.node));
    return {
      check: () => ({ health: "ok" }),
      status: () => ({ greeting: context.config.greeting, greeted }),
      messages: {
        greet: (name: string) => {
          greeted++;
          return greet(context.config.greeting, name);
        },
      },
    };
  },
});
`;

const recoveryRules = `import { defineEvent, defineRules, events, on, z } from "@halon/rules";

/** Other rules and \`halonctl event tail\` see it. */
export const FailureNoted = defineEvent({
  type: "FailureNoted",
  sentBy: "rule",
  schema: z.object({ service: z.string(), node: z.string(), times: z.number() }),
});

export default defineRules(
  {
    // Restarting is the work of a built-in rule; this one counts beside it.
    noteFailure: on(events.ServiceFailed)
      .where(({ event }) => event.service === "hello")
      .do(({ event, memory, publish, why }) => {
        const known = memory.get(event.node);
        const times = (typeof known === "number" ? known : 0) + 1;
        memory.set(event.node, times);
        why(\`hello failed \${times} times on \${event.node}: \${event.reason}\`);
        publish(FailureNoted, { service: event.service, node: event.node, times });
      }),
  },
  { events: [FailureNoted] },
);
`;

const cluster = `import { defineCluster } from "@halon/service";

export default defineCluster({
  services: [{ type: "./hello.service.ts", on: "every-node", config: { greeting: "Hello" } }],
  rules: ["./recovery.rules.ts"],
});
`;

const helloTest = `import assert from "node:assert/strict";
import { test } from "node:test";
import { greet } from "./hello.service.ts";
import rules from "./recovery.rules.ts";

test("a greeting names whom it greets", () => {
  assert.equal(greet("Hello", "node-1"), "Hello, node-1");
});

test("failures of the service are noted", () => {
  assert.deepEqual(Object.keys(rules.rules), ["noteFailure"]);
});
`;

const tsconfig = `{
  "compilerOptions": {
    "target": "es2023",
    "lib": ["es2023"],
    "module": "nodenext",
    "types": ["node"],
    "strict": true,
    "noEmit": true,
    "allowImportingTsExtensions": true,
    "verbatimModuleSyntax": true,
    "skipLibCheck": true
  },
  "include": ["*.ts"]
}
`;

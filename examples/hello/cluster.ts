import { defineCluster } from "@halon/service";

export default defineCluster({
  services: [
    { type: "./ping.service.ts", on: "every-node", config: { greeting: "pong" } },
    { type: "./web.service.ts", on: "any-node", replicas: 2, onNodeLoss: "move" },
  ],
  rules: ["./hello.rules.ts"],
});

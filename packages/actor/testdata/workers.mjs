// Behaviours for tests of threads: a thread loads plain JavaScript only.
export function behaviour(self, args) {
  if (args?.refuses) throw new Error("cannot start");
  return {
    receive(message, meta) {
      if (meta.type === "signal") return undefined;
      switch (message.do) {
        case "echo":
          return { echo: message.value, args };
        case "crash":
          throw new Error("crashed on request");
        case "throwInTimer":
          setTimeout(() => {
            throw new Error("uncaught");
          });
          return undefined;
        case "exit":
          return process.exit(7);
        case "spin":
          for (;;);
        case "stop":
          self.stop();
          return undefined;
        case "ask":
          return self.call(message.of, message.what, { timeoutMs: 2000 });
        case "never":
          return new Promise(() => undefined);
        default:
          return undefined;
      }
    },
  };
}

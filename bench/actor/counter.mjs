// A process that counts what it is sent and answers calls with the count; for a thread or a node of its own.
export function behaviour() {
  let count = 0;
  return {
    receive(message, meta) {
      if (meta.type === "call") return message === "count" ? count : message;
      count += 1;
      return undefined;
    },
  };
}

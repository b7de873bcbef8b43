// Speaks as `halond start` does to its launcher: a ready line, and an end at SIGTERM.
const args = process.argv.slice(2);
const flagOf = (flag) => args[args.indexOf(flag) + 1];
const name = flagOf("--name");
const beat = setInterval(() => undefined, 1_000);
process.on("SIGTERM", () => {
  console.error("stopping");
  clearInterval(beat);
});
console.log(
  `halond ready name=${name} endpoint=http://${flagOf("--listen")} role=tracking leader=node-1`,
);
console.log(`pid ${process.pid}`);

import { closeSync, openSync, writeSync } from "node:fs";

const { FILE, SERVICE, NODE, HALON_FENCING_TOKEN: token } = process.env;
const out = openSync(FILE, "a");
const line = () =>
  writeSync(out, `${process.hrtime.bigint()} ${token} ${SERVICE} ${NODE} ${process.pid}\n`);
line();
console.log("ready");
setInterval(line, 10);
process.on("SIGTERM", () => {
  closeSync(out);
  process.exit(0);
});

// What stands for a halond in tests of the keeper: starts one kept instance, and renews its lease when it is told to.
import { startKept } from "../../dist/host/keeper/index.js";

const [, , specText, renewEveryMs] = process.argv;
const spec = JSON.parse(specText);
const values = { configValues: () => spec.config, blobPath: (hash) => hash };
const runner = startKept({ ...spec, ...values }, (event) => {
  process.stdout.write(`${JSON.stringify({ ...event, osPid: runner.osPid })}\n`);
});
const monotonicMs = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
if (Number(renewEveryMs) > 0) {
  setInterval(() => runner.renew(monotonicMs() + spec.lease.leaseMs), Number(renewEveryMs));
}
setInterval(() => undefined, 1_000);

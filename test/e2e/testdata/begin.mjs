// A node that only begins, as the bootstrap of `halond` does: its listener answers for /id and /hello, nothing else
// runs. Arguments: its data directory, its other options as JSON. It says `waiting …` and `complete <cluster id>`, and goes on until it is killed.
import { listen } from "../../../packages/api/dist/listen.js";
import { bootstrap } from "../../../packages/node/dist/bootstrap/bootstrap.js";
import { answerLate } from "../../../packages/node/dist/bootstrap/late.js";
import { listensAt, loadSetup } from "../../../packages/node/dist/setup.js";

const options = { labels: {}, join: [], forgetSetup: false, insecure: false };
Object.assign(options, JSON.parse(process.argv[3] ?? "{}"), { dataDir: process.argv[2] });

let setup = loadSetup(options.dataDir, options, Date.now());
let routes;
let done;
const ports = {
  identity: () => ({ id: setup.id, name: setup.name, clusterId: "", role: done?.role ?? null }),
  hello: (request) =>
    done === undefined
      ? routes.hello(request)
      : answerLate({ setup: done, leader: () => null, nodes: () => [] }, request),
};
const heard = (given) => {
  routes = given;
};
heard({ hello: () => Promise.reject(new Error("not yet")) });
const listener = await listen({ ...setup.listen, ports, allowedHosts: [] });
setup = listensAt(setup, listener.port);
done = await bootstrap({
  dataDir: options.dataDir,
  setup,
  hear: heard,
  print: (text) => console.log(text),
  signal: new AbortController().signal,
  pace: { askEveryMs: 20, sayEveryMs: 10_000 },
});
console.log(`complete ${done.clusterId}`);

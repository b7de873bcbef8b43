import { HalonError } from "@halon/protocol";

/** Where the log is: endpoints as `http://host:port`, and the prefix of its keys without slashes at its ends. */
export interface EtcdPlace {
  readonly endpoints: readonly string[];
  readonly prefix: string;
}

const defaultPrefix = "halon";
const expected = "Expected etcd://host:port[,host:port…][/prefix]";

/** Reads `etcd://host:port[,host:port…][/prefix]`. Errors: HAL_CONFIG_INVALID, which never repeats a password. */
export function parseEtcdUrl(url: string): EtcdPlace {
  const scheme = "etcd://";
  if (!url.startsWith(scheme)) throw bad(`it does not start with ${scheme}`);
  const rest = url.slice(scheme.length);
  const slash = rest.indexOf("/");
  const hosts = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? "" : rest.slice(slash + 1);
  if (rest.includes("@")) {
    throw bad("it names a user or a password, which every user of the machine could read");
  }
  if (/[?#\s]/u.test(rest)) throw bad("it has a query, a fragment or a space");
  const prefix = path.replace(/\/$/u, "");
  if (prefix.startsWith("/") || prefix.includes("//")) throw bad("its prefix has an empty part");
  return { endpoints: hosts.split(",").map(endpointOf), prefix: prefix || defaultPrefix };
}

function endpointOf(host: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/u.exec(host);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) throw bad(`'${host}' is not host:port`);
  return `http://${host}`;
}

function bad(why: string): HalonError {
  return new HalonError(
    "HAL_CONFIG_INVALID",
    `The URL of the store is wrong: ${why}. ${expected}.`,
  );
}

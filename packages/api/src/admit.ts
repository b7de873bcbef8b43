import { isIPv4 } from "node:net";
import { HalonError } from "@halon/protocol";

/** The headers that tell where a request comes from and whom it means. */
export interface Provenance {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/**
 * Why a request must not be answered, or null.
 *
 * The Host is held against a list because a page of another site can make its own name resolve to this machine;
 * an Origin must equal the Host because every page on this machine can reach a loopback port.
 */
export function refusalOf(
  { host, origin }: Provenance,
  allowedHosts: readonly string[],
): HalonError | null {
  const url = parse(`http://${host ?? ""}`);
  if (url === null || !isAllowedName(url.hostname, allowedHosts)) {
    return new HalonError(
      "HAL_FORBIDDEN",
      `The Host ${quote(host)} is not one of this node. Use its loopback address or what --advertise says.`,
    );
  }
  if (origin === undefined) return null;
  const from = parse(origin);
  if (from?.protocol === "http:" && from.host === url.host) return null;
  return new HalonError(
    "HAL_FORBIDDEN",
    `The Origin ${quote(origin)} is not this node: pages of other sites may not call it.`,
  );
}

/** Whether the name in a URL means the machine that it is used on. */
export function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "[::1]" || hostname === "::1") return true;
  return isIPv4(hostname) && hostname.startsWith("127.");
}

function isAllowedName(hostname: string, allowedHosts: readonly string[]): boolean {
  if (isLoopback(hostname)) return true;
  return allowedHosts.some((allowed) => parse(`http://${allowed}`)?.hostname === hostname);
}

/** A URL of scheme, host and port only: `a@b` or `a/b` in a Host is not one. */
function parse(text: string): URL | null {
  if (!/^https?:\/\/[^/@?#\\\s]+$/.test(text)) return null;
  return URL.canParse(text) ? new URL(text) : null;
}

function quote(value: string | undefined): string {
  return value === undefined ? "(none)" : JSON.stringify(value.slice(0, 100));
}

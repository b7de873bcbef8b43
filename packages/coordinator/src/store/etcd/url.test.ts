import { expect, test } from "vitest";
import { parseEtcdUrl } from "./url.ts";

test.each([
  ["etcd://a:2379", ["http://a:2379"], "halon"],
  ["etcd://a:2379/", ["http://a:2379"], "halon"],
  ["etcd://10.0.0.1:1,[::1]:65535/x/y/", ["http://10.0.0.1:1", "http://[::1]:65535"], "x/y"],
])("%s names its endpoints and its prefix", (url, endpoints, prefix) => {
  expect(parseEtcdUrl(url)).toEqual({ endpoints, prefix });
});

test.each([
  ["http://a:1", "does not start with etcd://"],
  ["etcd://", "'' is not host:port"],
  ["etcd://a", "'a' is not host:port"],
  ["etcd://a:0", "'a:0' is not host:port"],
  ["etcd://a:65536", "'a:65536' is not host:port"],
  ["etcd://a:1,", "'' is not host:port"],
  ["etcd://a:1//x", "empty part"],
  ["etcd://a:1/x?y=1", "a query"],
])("%s is refused, and the message says why", (url, why) => {
  expect(() => parseEtcdUrl(url)).toThrow(
    expect.objectContaining({
      code: "HAL_CONFIG_INVALID",
      message: expect.stringContaining(why),
    }),
  );
});

test("a password in the URL is refused and not repeated", () => {
  const parse = () => parseEtcdUrl("etcd://root:hunter2@a:1");
  expect(parse).toThrow(/names a user or a password/);
  expect(parse).not.toThrow(/hunter2/);
});

import { expect, test } from "vitest";
import { faultOf } from "./fault.ts";

// As etcd 3.4 to 3.6 word them.
test.each([
  [14, "etcdserver: no leader", "unavailable"],
  [14, "etcdserver: leader changed", "unavailable"],
  [14, "etcdserver: request timed out", "unavailable"],
  [8, "etcdserver: too many requests", "unavailable"],
  [8, "etcdserver: mvcc: database space exceeded", "noSpace"],
  [11, "etcdserver: mvcc: required revision has been compacted", "compacted"],
  [3, "etcdserver: request is too large", "tooLarge"],
  [8, "grpc: received message larger than max (5 vs. 4)", "tooLarge"],
  [3, "etcdserver: user name is empty", "unauthenticated"],
  [7, "etcdserver: permission denied", "unauthenticated"],
  [16, "etcdserver: invalid auth token", "unauthenticated"],
  [5, "etcdserver: requested lease not found", "noLease"],
  [3, "etcdserver: too many operations in txn request", "refused"],
])("code %i, '%s' is %s", (code, message, kind) => {
  expect(faultOf("http://a:1", code, message)).toMatchObject({ kind });
});

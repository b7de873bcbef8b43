export { openAgencyEngine } from "./agency.ts";
export type { Engine, EngineSnapshot, Slot, SlotAppended } from "./engine.ts";
export { slotBytesMax } from "./engine.ts";
export { type EtcdOptions, openEtcdEngine } from "./etcd/engine.ts";
export { type EtcdPlace, parseEtcdUrl } from "./etcd/url.ts";
export { type MemoryState, memoryEngine, memoryState, openMemoryStore } from "./memory.ts";
export { storeOf } from "./parts.ts";
export type {
  AppendAt,
  Appended,
  SnapshotChunks,
  Store,
  StoredRecord,
  StoreSnapshot,
} from "./port.ts";

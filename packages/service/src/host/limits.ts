/** Timing and sizes of the service host. Names end in their unit. */
export const limits = {
  /** How often a worker shows that its event loop turns, and samples its memory. */
  beatEveryMs: 100,
  /** How long after a start the thread or the child for the next one is made ready. */
  spareAfterMs: 300,
  /** Threads that wait without a service, for the next start. */
  spareThreadsMax: 2,
  /** Services in one shared thread. */
  sharedServicesMax: 50,
  /** Shared threads that are kept although no service is in them, of those with one limit of memory. */
  sharedIdleMax: 1,
  /** After so many crashes of its services a shared thread takes no more of them. */
  sharedCrashesMax: 20,
  /** A shared thread that has not let go of a service by then is ended with all in it. */
  dropMs: 500,
  /** Code of a service that still runs so long after its end ends its shared thread. */
  outliveMs: 1_000,
  /** Services that are remembered for having ended a shared thread; they get one for themselves. */
  solitaryMax: 1_000,
  /** Young generation of a thread: a larger one costs memory in each, a smaller one collections. */
  threadYoungMb: 4,
  /** Changes that one worker may tell of at once, and in each second from then on; each becomes an event. */
  changesAtOnceMax: 1_000,
  changesPerSecondMax: 100,
  /** Resources that one worker may hold. */
  resourcesMax: 1_000,
  /** Attributes of one resource, as JSON. */
  attributesBytesMax: 16_384,
  /** Troubles of one service, and questions about others, that wait for an answer. */
  troublesMax: 16,
  questionsMax: 1_000,
  /** Captured output of a worker service; beyond it the newer half is kept. */
  outputBytesMax: 1_048_576,
  /** Output of one worker in one second; the rest of the second is dropped and counted. */
  outputBytesPerSecondMax: 262_144,
  /** Chunks of output that wait for a slow disk. */
  outputChunksMax: 256,
  /** How long a TypeScript compiler may take for one rule file. */
  typeCheckMs: 120_000,
  /** A service or rule file must load within this time when it is compiled. */
  readModuleMs: 5_000,
  readModuleMemoryMb: 256,
  /** A rule file, and each file that it imports: more is no rule but data. */
  ruleFileBytesMax: 1_048_576,
  /** A blob is sent over a link in chunks, but kept in memory while it is compiled. */
  blobBytesMax: 67_108_864,
} as const;

/** What became of a data directory. */
export interface OfflineOutcome {
  readonly id: string;
  readonly cluster: string;
  /** Of the last transaction held. */
  readonly index: number;
}

/**
 * Makes an agency of one from what this member holds, committed or not, with a new cluster id and member id.
 *
 * For when a majority is lost for good. Nobody else may use the directory. Errors: HAL_STORE_DAMAGED,
 * HAL_DATA_DIR_INVALID.
 */
export function rebuild(_dataDir: string, _advertise: string | null): Promise<OfflineOutcome> {
  throw new Error("not built yet");
}

/**
 * Makes a data directory for an agency of one from a saved snapshot, the bytes of `GET /v1/agency/snapshot`.
 *
 * The directory must hold no agency. Errors: HAL_STORE_DAMAGED when the snapshot is, HAL_DATA_DIR_INVALID.
 */
export function restoreSnapshot(
  _snapshot: AsyncIterable<Uint8Array>,
  _dataDir: string,
  _advertise: string,
): Promise<OfflineOutcome> {
  throw new Error("not built yet");
}

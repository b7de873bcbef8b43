/**
 * `fast-check` as tests get it: with one seed for all, so that a run on one commit is like every other.
 *
 * `HALON_PROPERTY_SEED=N` chooses another seed, `HALON_PROPERTY_SEED=random` a new one each time.
 */
import fc from "../node_modules/fast-check/lib/fast-check.js";

const wanted = process.env["HALON_PROPERTY_SEED"] ?? "1";
if (wanted !== "random") {
  const seed = Number(wanted);
  if (!Number.isInteger(seed)) {
    throw new Error(
      `HALON_PROPERTY_SEED is ${JSON.stringify(wanted)}: give an integer or "random".`,
    );
  }
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}

// biome-ignore lint/performance/noReExportAll: it stands for the whole library
export * from "../node_modules/fast-check/lib/fast-check.js";
export default fc;

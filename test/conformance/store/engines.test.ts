import { memoryEngine, memoryState } from "@halon/coordinator/store";
import { storeConformance } from "./conformance.ts";

storeConformance("memory", async () => {
  const state = memoryState();
  let handles = 0;
  const open = async () => {
    handles += 1;
    return memoryEngine(state, `10.0.0.${handles}:8528`);
  };
  return { open, beside: true };
});

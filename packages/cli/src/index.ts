export { halonctl } from "./halonctl/main.ts";
export { halond } from "./halond/main.ts";

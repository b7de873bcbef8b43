export { type Evaluate, openRealm, type Realm } from "./realm.ts";

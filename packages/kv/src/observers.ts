import { type Edit, Tree } from "./tree.ts";

/** What one URL is told of one applied entry. */
export interface Notification {
  readonly url: string;
  /** Of the last transaction of the entry that concerns it. */
  readonly index: number;
  /** Observed path → modified path → name of the operator. */
  readonly changes: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** The table in which `url` observes `path` and what is below it. */
export function withObserver(table: Tree, path: string, url: string, edit: Edit): Tree {
  const urls = table.get(path);
  return table.set(path, (urls instanceof Tree ? urls : Tree.empty).set(url, true, edit), edit);
}

/** The table in which `url` does not observe exactly `path`. */
export function withoutObserver(table: Tree, path: string, url: string, edit: Edit): Tree {
  const urls = table.get(path);
  if (!(urls instanceof Tree)) return table;
  const rest = urls.delete(url, edit);
  return rest.size === 0 ? table.delete(path, edit) : table.set(path, rest, edit);
}

/** All pairs of the table. */
export function* observed(table: Tree): Generator<readonly [path: string, url: string]> {
  for (const [path, urls] of table.entries()) {
    if (!(urls instanceof Tree)) continue;
    for (const url of urls.keys()) yield [path, url];
  }
}

interface Gathered {
  readonly url: string;
  index: number;
  readonly changes: Map<string, Map<string, string>>;
}

/** Gathers what the transactions of one entry have to tell; one notification a URL. */
export class Notices {
  readonly #byUrl = new Map<string, Gathered>();

  /** An operator has changed `path`. Tells who observes it or a path above it; the root is observed alone. */
  add(observers: Tree, path: string, operator: string, index: number): void {
    this.#addFrom(observers, path, path, operator, index);
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      this.#addFrom(observers, path.slice(0, end), path, operator, index);
    }
  }

  #addFrom(observers: Tree, at: string, path: string, operator: string, index: number): void {
    const urls = observers.get(at);
    if (!(urls instanceof Tree)) return;
    for (const url of urls.keys()) {
      const gathered = this.#byUrl.get(url) ?? { url, index, changes: new Map() };
      gathered.index = index;
      this.#byUrl.set(url, gathered);
      const changes = gathered.changes.get(at) ?? new Map<string, string>();
      gathered.changes.set(at, changes.set(path, operator));
    }
  }

  list(): readonly Notification[] {
    return [...this.#byUrl.values()];
  }
}

/** JSON text of the body that is posted to the URL. */
export function notificationText(notification: Notification, term: number): string {
  const members = [`"term":${term}`, `"index":${notification.index}`];
  for (const [path, changes] of notification.changes) {
    const modified = [...changes].map(
      ([key, op]) => `${JSON.stringify(key)}:{"op":${JSON.stringify(op)}}`,
    );
    members.push(`${JSON.stringify(path)}:{${modified.join()}}`);
  }
  return `{${members.join()}}`;
}

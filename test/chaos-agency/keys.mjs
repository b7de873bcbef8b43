const pairCount = 8;
const listCount = 4;
const usesOfPairMax = 800;
const elementsOfListMax = 100;

/**
 * The keys that clients work on. They are given up for new ones, so that each has a history short enough to be judged.
 *
 * Registers come in pairs, because a transaction over two keys makes both one object to be checked.
 */
export class Keys {
  pairs = [];
  lists = [];
  #known = new Map();
  #activePairs;
  #activeLists;

  constructor() {
    this.#activePairs = Array.from({ length: pairCount }, () => this.#newPair());
    this.#activeLists = Array.from({ length: listCount }, () => this.#newList());
  }

  pair(random) {
    const place = random.between(0, pairCount - 1);
    const pair = this.#activePairs[place];
    pair.uses += 1;
    if (pair.uses >= usesOfPairMax) this.#activePairs[place] = this.#newPair();
    return pair.keys;
  }

  listToRead(random) {
    return random.pick(this.#activeLists).key;
  }

  listToExtend(random) {
    const place = random.between(0, listCount - 1);
    const list = this.#activeLists[place];
    list.elements += 1;
    if (list.elements >= elementsOfListMax) this.#activeLists[place] = this.#newList();
    return list.key;
  }

  /** A guess at the value of a key, good enough for most preconditions to hold. */
  guess(key) {
    return this.#known.get(key) ?? null;
  }

  learn(key, value) {
    this.#known.set(key, value);
  }

  #newPair() {
    const at = this.pairs.length;
    const pair = { keys: [`/chaos/a${at}`, `/chaos/b${at}`], uses: 0 };
    this.pairs.push(pair);
    return pair;
  }

  #newList() {
    const list = { key: `/chaos/list${this.lists.length}`, elements: 0 };
    this.lists.push(list);
    return list;
  }
}

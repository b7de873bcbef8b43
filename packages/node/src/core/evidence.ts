import {
  answerMs,
  lastHeardAt,
  phiOf,
  silentMs,
  standingMs,
  type Trouble,
  type Watched,
} from "./watched.ts";

/** A reason that comes from a socket is cut here. */
const reasonCharsMax = 300;
/** Sentences that an event may carry. */
const sentencesMax = 32;

/** A time for people: `1.2 s`. */
export function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
}

/** Why the node is suspect or lost, as one sentence without its end. */
export function reasonOf(watched: Watched, trouble: Trouble | undefined, now: number): string {
  const { reach, beats } = watched;
  if (reach.type === "closed") return clip(reach.reason);
  if (reach.type === "awaited") return "it did not come to the new leader";
  if (trouble?.type === "hung") return hungReason(watched);
  return `no beat for ${seconds(now - (beats?.lastAt ?? watched.freshFrom))}`;
}

export function hungReason(watched: Watched): string {
  return `its main thread stands still for ${seconds(standingMs(watched))}`;
}

/** All that is known of the node, a sentence each. */
export function evidenceOf(watched: Watched, now: number, isLate: boolean): readonly string[] {
  const { node, reach, beats, byLink } = watched;
  const sentences: string[] = [];
  if (beats === undefined) sentences.push(`${node}: no beat has come from it; its link is judged`);
  else {
    const ago = seconds(now - beats.lastAt);
    const phi = silentMs(watched, now) > 0 && !isLate ? ` (phi ${tell(phiOf(watched, now))})` : "";
    sentences.push(`${node}: last beat ${ago} ago${phi}`);
  }
  if (byLink !== undefined)
    sentences.push("its beats did not get through though it answered over its link");
  if (reach.type === "closed") sentences.push(`link closed: ${clip(reach.reason)}`);
  if (reach.type === "awaited")
    sentences.push(`it has not come to this leader for ${seconds(now - reach.since)}`);
  if (standingMs(watched) >= 1_000) sentences.push(hungReason(watched));
  if (isLate) sentences.push("this observer was late itself, and relies on the others");
  return [...sentences, ...opinionsOf(watched, now)].slice(0, sentencesMax);
}

/** Who hears a node that the coordinator cannot reach, as one sentence without its end. */
export function pathReason(watched: Watched, now: number): string {
  const opinions = [...(watched.inquiry?.opinions ?? [])];
  const latest = lastHeardAt(watched);
  const [who] = opinions.find(([, { heardAt }]) => heardAt === latest) ?? [];
  const ago = `${seconds(now - latest)} ago`;
  return who === undefined
    ? `the coordinator cannot reach it, though its last beat came ${ago}`
    : `the path to it is broken, the node is not: ${who} heard it ${ago}`;
}

function opinionsOf({ node, inquiry }: Watched, now: number): readonly string[] {
  if (inquiry === undefined) return [];
  if (inquiry.asked.length === 0 && inquiry.opinions.size === 0)
    return ["nobody else could be asked"];
  const all = new Set([...inquiry.asked, ...inquiry.opinions.keys()]);
  const silence = now - inquiry.since < answerMs ? "no answer yet" : "no answer";
  return [...all].map((who) => {
    const opinion = inquiry.opinions.get(who);
    if (who === node)
      return `asked ${who} itself over its link: ${opinion === undefined ? silence : "it answered"}`;
    if (opinion === undefined) return `asked ${who}: ${silence}`;
    if (opinion.heardAt === null) return `asked ${who}: it cannot say`;
    return `asked ${who}: last heard it ${seconds(now - opinion.heardAt)} ago`;
  });
}

function tell(phi: number): string {
  return phi > 99 ? "over 99" : phi.toFixed(1);
}

function clip(reason: string): string {
  return reason.length > reasonCharsMax ? `${reason.slice(0, reasonCharsMax)}...` : reason;
}

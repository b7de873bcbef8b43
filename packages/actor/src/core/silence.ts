/** When a link was last used, in ms of one monotonic clock. */
export interface Pulse {
  readonly lookedAt: number;
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** How often to look, to send, and how long to bear silence. */
export interface PulseLimits {
  readonly lookEveryMs: number;
  readonly beatMs: number;
  readonly silentMs: number;
}

/** What a look at a link says. */
export interface PulseVerdict {
  readonly beat: boolean;
  /** Ms of silence, when that is too long. */
  readonly silentMs: number | null;
  /** Moved on by as much as this look came late: frames may wait unread behind what held this thread up. */
  readonly receivedAt: number;
}

/** Looks at a link: whether to send a heartbeat, and whether the peer has been silent for too long. */
export function lookAtPulse(pulse: Pulse, now: number, limits: PulseLimits): PulseVerdict {
  const lateMs = Math.max(0, now - pulse.lookedAt - 2 * limits.lookEveryMs);
  const receivedAt = Math.min(now, pulse.receivedAt + lateMs);
  const silentMs = now - receivedAt;
  return {
    beat: now - pulse.sentAt >= limits.beatMs,
    silentMs: silentMs >= limits.silentMs ? silentMs : null,
    receivedAt,
  };
}

const firstMs = 50;
const mostMs = 1_000;

/** Wait before the next attempt to connect: 50 ms doubling to 1 s, ± 25 % by `random` in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const base = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 10));
  return base * (0.75 + random / 2);
}

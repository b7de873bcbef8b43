import {
  type CommandAction,
  type DataOf,
  type events,
  type InternalPart,
  instanceId,
  slotId,
} from "@halon/protocol";

export type PartName = InternalPart["part"];

/** How a part of Halon stands just now; reading it changes nothing. */
export type PartCheck = () => PartState;

export interface PartState extends Pick<InternalPart, "state" | "health" | "detail"> {
  /** What a Check answers in place of `detail`, which is told whenever it is another. */
  readonly answer?: string;
}

/** Starts of a part within one start of its node that its instance ids can tell apart. */
const startsMax = 1_000;
const reasonCharsMax = 4_000;
const detailCharsMax = 1_000;

/** What the driver of the parts has to do, in order. */
export type PartEffect =
  | {
      readonly type: "emit";
      readonly event: "PartChanged" | "ServiceChecked" | "CommandRefused" | "ServiceReported";
      readonly data: DataOf<
        | typeof events.PartChanged
        | typeof events.ServiceChecked
        | typeof events.CommandRefused
        | typeof events.ServiceReported
      >;
    }
  /** Ask the part for its status; ends as `reported` or `notReported`. */
  | {
      readonly type: "report";
      readonly part: PartName;
      readonly instance: string;
      readonly command: string;
    };

type Report = DataOf<typeof events.ServiceReported>["report"];

interface Known {
  readonly start: number;
  readonly check: PartCheck;
  /** As it was last told; null before. */
  told: InternalPart | null;
}

/** Decides what is told of the parts of Halon on a node, which are services as any other (rfc/0008), and what they answer. */
export class PartsCore {
  readonly #node: string;
  readonly #incarnation: number;
  readonly #parts = new Map<PartName, Known>();

  /** `incarnation` is of this start of `halond`. */
  constructor(node: string, incarnation: number) {
    this.#node = node;
    this.#incarnation = incarnation;
  }

  /** The part has started, again if it was known before. */
  begin(part: PartName, check: PartCheck): readonly PartEffect[] {
    const start = Math.min((this.#parts.get(part)?.start ?? 0) + 1, startsMax - 1);
    this.#parts.set(part, { start, check, told: null });
    return this.look();
  }

  /** Tells of the parts that are not as they were last told. */
  look(): readonly PartEffect[] {
    const effects: PartEffect[] = [];
    for (const [name, known] of this.#parts) {
      const part = describe(name, known);
      if (known.told !== null && isSame(part, known.told)) continue;
      known.told = part;
      effects.push(emit("PartChanged", { node: this.#node, part }));
    }
    return effects;
  }

  inventory(): InternalPart[] {
    return [...this.#parts].map(([name, known]) => describe(name, known));
  }

  /** Whether the command is for a part, and then what follows: it is answered by an event. Null: it is for none. */
  perform(action: CommandAction, command: string): readonly PartEffect[] | null {
    const found = [...this.#parts].find(([name]) => name === action.service);
    if (found === undefined) return null;
    const [part, known] = found;
    const instance = this.#instanceOf(part, known);
    if (action.instance !== instance)
      return [this.#refuse(command, `${instance} runs in its place`)];
    if (action.type === "CheckService") {
      const { health, detail, answer = detail } = known.check();
      const said = { command, health, ...(answer === undefined ? {} : { detail: answer }) };
      return [emit("ServiceChecked", { ...this.#at(part, instance), ...said })];
    }
    if (action.type === "ReportStatus") return [{ type: "report", part, instance, command }];
    const reason = `${part} is a part of Halon: it can be checked and asked for its status`;
    return [this.#refuse(command, reason)];
  }

  /** The part has told its status. */
  reported(
    { part, instance, command }: Extract<PartEffect, { readonly type: "report" }>,
    report: Report,
  ): readonly PartEffect[] {
    return [emit("ServiceReported", { ...this.#at(part, instance), command, report })];
  }

  /** The part could not tell its status. */
  notReported(command: string, reason: string): readonly PartEffect[] {
    return [this.#refuse(command, reason)];
  }

  #refuse(command: string, reason: string): PartEffect {
    const code = "HAL_CONFLICT";
    const said = { node: this.#node, command, code, reason: reason.slice(0, reasonCharsMax) };
    return emit("CommandRefused", said);
  }

  #at(part: PartName, instance: string) {
    return { node: this.#node, service: part, instance };
  }

  #instanceOf(part: PartName, { start }: Known): string {
    return instanceId(slotId(part, this.#node), this.#incarnation * startsMax + start);
  }
}

function describe(part: PartName, { start, check }: Known): InternalPart {
  const { state, health, detail } = check();
  const said = detail === undefined ? {} : { detail: detail.slice(0, detailCharsMax) };
  return { part, start, state, health, ...said };
}

function isSame(one: InternalPart, other: InternalPart): boolean {
  return (
    one.start === other.start &&
    one.state === other.state &&
    one.health === other.health &&
    one.detail === other.detail
  );
}

function emit(
  event: Extract<PartEffect, { readonly type: "emit" }>["event"],
  data: Extract<PartEffect, { readonly type: "emit" }>["data"],
): PartEffect {
  return { type: "emit", event, data };
}

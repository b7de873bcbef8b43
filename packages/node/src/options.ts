import type { AgencySize } from "@halon/protocol";
import type { AllowedPrograms } from "./core/allowed-programs.ts";

/**
 * What `halond` is started with, parsed and checked by the command line.
 *
 * What is undefined was not given: it comes from `setup.json`, at the first start from the defaults of
 * `loadSetup`.
 */
export interface NodeOptions {
  readonly name: string | undefined;
  /** Absolute path. */
  readonly dataDir: string;
  /** Port 0: any free one at the first start, then the same for ever. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** `host:port` at which others reach this node; the listen address when there is none. */
  readonly advertise: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absolute path of the file with the programs that rules may have this node run; what it says is in the context. */
  readonly allowRun: string | undefined;
  /** `host:port` of nodes to say hello to, port filled in; empty: none was given. */
  readonly join: readonly string[];
  readonly agencySize: AgencySize | undefined;
  /** Number of the node within `--local`. */
  readonly local: number | undefined;
  /** `embedded` or a URL. */
  readonly store: string | undefined;
  /** Move what an earlier node left in the data directory aside and begin afresh. */
  readonly forgetSetup: boolean;
  readonly insecure: boolean;
  readonly log: {
    readonly level: string;
    readonly format: "json" | "pretty";
    readonly file: string | undefined;
  };
}

/** What a start is given besides its options. */
export interface StartContext {
  /** Says a line to the person at the terminal, while the cluster is not complete. */
  print(text: string): void;
  /** Aborted: the start is given up and rejects with the signal's reason, unless the node is ready already. */
  readonly signal: AbortSignal;
  /** Programs that rules may have this node run; absent: none. */
  readonly allowed?: AllowedPrograms;
}

/** A node that is ready. */
export interface RunningNode {
  readonly name: string;
  /** `host:port` of the listener; the real port when 0 was asked for. */
  readonly endpoint: string;
  readonly role: "tracking" | "satellite";
  /** Name of the tracking node that leads. */
  readonly leader: string;
  /** Resolves when the node has ended by itself (`POST /shutdown`), rejects when it had to. */
  readonly ended: Promise<void>;
  /** Opens the log file anew, after it was moved away. */
  reopenLog(): void;
  /** Stops the services by their deadlines, unless they are to be kept, then everything else. */
  stop(options?: { readonly keepServices?: boolean }): Promise<void>;
}

/** What `halond` is started with, parsed and checked by the command line. */
export interface NodeOptions {
  readonly name: string;
  /** Absolute path. */
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** `host:port` at which others reach this node; the listen address when undefined. */
  readonly advertise: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** `host:port` of nodes to join; empty: this node is the tracking node. */
  readonly join: readonly string[];
  readonly insecure: boolean;
  readonly log: {
    readonly level: string;
    readonly format: "json" | "pretty";
    readonly file: string | undefined;
  };
}

/** A node that is ready. */
export interface RunningNode {
  readonly name: string;
  /** `host:port` of the listener; the real port when 0 was asked for. */
  readonly endpoint: string;
  readonly role: "tracking" | "satellite";
  /** Name of the tracking node. */
  readonly leader: string;
  /** Resolves when the node has ended by itself (`POST /shutdown`), rejects when it had to. */
  readonly ended: Promise<void>;
  /** Opens the log file anew, after it was moved away. */
  reopenLog(): void;
  /** Stops the services by their deadlines, unless they are to be kept, then everything else. */
  stop(options?: { readonly keepServices?: boolean }): Promise<void>;
}

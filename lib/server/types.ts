/** What the server is given and what it gives back. */
import type { AuthKind } from "../http/index.ts";
import type { NotifierMeans } from "../lag/notify/config.ts";
import type { LogApi } from "../log/types.ts";
import type { Clock, Ids, Storage } from "../ports/index.ts";
import type { ServerConfig } from "./config.ts";

export interface ServerOptions extends Partial<Omit<ServerConfig, "storage" | "kafka">> {
  /** Where Kafka clients connect. Default: nowhere. */
  readonly kafka?: ServerConfig["kafka"];
  /** A kind to open, or one that is open already (closed with the server). Default `embedded` in `data`. */
  readonly storage?: ServerConfig["storage"] | Storage;
  /** A log that is open already, in place of a storage. The caller closes what is below it. */
  readonly log?: LogApi;
  readonly clock?: Clock;
  readonly ids?: Ids;
  /** For notifiers: how SNS is reached. Default: not at all. */
  readonly sns?: NotifierMeans["sns"];
  /** One line on what happened, for people. Default: nowhere. */
  readonly onLine?: (line: string) => void;
}

export interface RunningServer {
  /** `http://127.0.0.1:8080`, with the port that was taken. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Where Kafka clients connect: `127.0.0.1:9092`. */
  readonly kafka: string | undefined;
  readonly clusterId: string;
  /** What the storage keeps of each record, for people. */
  readonly durability: string;
  /** Who may call. */
  readonly auth: AuthKind;
  /** With `auth` `token`: was there a token when it started? Without one nobody can call. */
  readonly hasTokens: boolean;
  readonly log: LogApi;
  /**
   * Stops: no new connections, streams and long polls end at once, requests under way finish within
   * `shutdownTimeoutMs` and are cut after that, then the storage is closed. A second call waits for the first.
   */
  close(): Promise<void>;
}

/** What an EventLog can be told. Everything has a default that is meant for production. */
import type { Duration } from "aws-cdk-lib";
import type { IAlarmAction } from "aws-cdk-lib/aws-cloudwatch";
import type { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { ITopic } from "aws-cdk-lib/aws-sns";

/** Callers sign with SigV4, and need `execute-api:Invoke` or `lambda:InvokeFunctionUrl` (`EventLog.grantCall`). */
export interface IamAuthorization {
  readonly type: "iam";
}

/** Callers send a bearer token that the gateway checks against its issuer. HTTP API alone; the streaming URL stays with IAM. */
export interface JwtAuthorization {
  readonly type: "jwt";
  /** `https://…`, where the gateway finds the issuer's keys. */
  readonly issuer: string;
  /** At least one. */
  readonly audience: readonly string[];
}

/**
 * Nothing in front: whoever finds the URL reaches the functions, and they ask everybody for a token of the log itself, which
 * says what its holder may do. The first one is made by `brokerless token create --table … --bucket …`, by IAM's rights.
 */
export interface TokenAuthorization {
  readonly type: "token";
}

/** Whoever finds the URL reads, writes and deletes. */
export interface NoAuthorization {
  readonly type: "none";
  /** Says that this is meant. */
  readonly insecure: true;
}

export type Authorization = IamAuthorization | JwtAuthorization | TokenAuthorization | NoAuthorization;

/** Alarms on one group and topic: by status (ERR and worse), and by what else is named. */
export interface LagGroupAlarm {
  readonly group: string;
  readonly topic: string;
  readonly seconds?: number;
  readonly records?: number;
  /** Default none: what is wrong with them is told by the alarm over all groups too. */
  readonly actions?: readonly IAlarmAction[];
}

/** When consumers count as behind, besides what Burrow's rules say of them. */
export interface LagAlarms {
  /** The longest that a record may wait for a group. Default 900. */
  readonly seconds?: number;
  /** The most records of one topic that a group may be behind. Default: no such alarm. */
  readonly records?: number;
  /** Those that have alarms of their own besides, of plain metrics: for a pager of their own, or for a graph. Default none. */
  readonly groups?: readonly LagGroupAlarm[];
}

/** Alarms on one topic of a queue: by new dead letters, and by what else is named. */
export interface QueueAlarm {
  /** The share group. */
  readonly group: string;
  readonly topic: string;
  /** The longest that a message may wait. */
  readonly seconds?: number;
  /** The most messages that may wait. */
  readonly depth?: number;
  /** Default true. */
  readonly deadLetters?: boolean;
  /** Default none. */
  readonly actions?: readonly IAlarmAction[];
}

/** When queues count as behind. */
export interface QueueAlarms {
  /** The longest that a message may wait in any queue, those included that are to wait by a header. Default: no such alarm. */
  readonly seconds?: number;
  /** Those that have alarms of their own, of plain metrics. Default none. */
  readonly queues?: readonly QueueAlarm[];
}

/** Who is told when a consumer group is behind, and of what. `docs/lag.md` says what they get. */
export interface LagNotifier {
  /** Its state is kept under it: 1 to 64 letters, digits, dots, dashes and underscores. */
  readonly name: string;
  /** A topic of SNS; whoever subscribes with e-mail gets text. Either this or `webhook`. */
  readonly topic?: ITopic;
  readonly webhook?: {
    /** `https://…` */
    readonly url: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** Its text signs every request: at least 16 characters. Default: nothing is signed. */
    readonly secret?: Pick<ISecret, "secretArn" | "grantRead">;
  };
  /** A regular expression; default every group. */
  readonly groups?: string;
  /** Of these, not those that match. */
  readonly exceptGroups?: string;
  /** Default `WARN`. */
  readonly threshold?: "WARN" | "ERR";
  /** Told again after so long, while it is not well. Default one hour. */
  readonly sendInterval?: Duration;
  /** Told once an incident. Default false. */
  readonly sendOnce?: boolean;
  /** Told of the end. Default true. */
  readonly sendClose?: boolean;
  /** JSON whose texts hold placeholders like `{{group}}`. Default: everything, and for a topic text for people. */
  readonly template?: unknown;
  readonly closeTemplate?: unknown;
}

export interface EventLogProps {
  /**
   * Nothing here is to last: the table and the bucket go with the stack, the table has no point-in-time recovery and no
   * deletion protection, and there is no dashboard. A bucket that still holds objects must be emptied by hand first.
   * Default false.
   */
  readonly dev?: boolean;

  /** Who may call. Default `{ type: "iam" }`. */
  readonly authorization?: Authorization;

  /**
   * The gateway: `http` is the cheaper one; `rest` is for where there is no HTTP API (LocalStack's free edition): jobs are
   * then started by rules of EventBridge, since a Scheduler that fires is not there either. Default `http`.
   */
  readonly api?: "http" | "rest";

  /** Requests a second that the gateway lets through, and how many at once; more are answered 429. Default 1000 and 2000. */
  readonly throttle?: { readonly ratePerSecond: number; readonly burst: number };

  /** Origins that browsers may call from. Default none. */
  readonly corsOrigins?: readonly string[];

  /** A Function URL for server-sent events and long answers. Default true. */
  readonly stream?: boolean;

  /** Memory of a function in MB; its share of a processor grows with it. Default 1024. */
  readonly memoryMb?: number;

  /** The most calls that the api and the stream function each answer at once; the account's limit is shared by all its functions. Default none. */
  readonly maxConcurrency?: number;

  /** How long logs of functions and gateway are kept. Default one month. */
  readonly logRetention?: RetentionDays;

  /** Told when an alarm goes off (`new SnsAction(topic)`). Without one alarms only show in the console. */
  readonly alarmActions?: readonly IAlarmAction[];

  /** Committed offsets are kept so long after their group has no members (`offsets.retention.minutes`). Default 7 days. */
  readonly offsetsRetention?: Duration;

  /** Of all consumer groups together. */
  readonly lagAlarms?: LagAlarms;

  /** Of queues. */
  readonly queueAlarms?: QueueAlarms;

  /** Told by the look at lag itself, group by group: no alarm is needed for it. Default none. */
  readonly notifiers?: readonly LagNotifier[];

  /** Default true, except for `dev`. */
  readonly dashboard?: boolean;

  /** Passed to the functions: where AWS is, when it is an emulator. */
  readonly endpointUrl?: string;

  /** The longest answer of the streaming URL, after which clients connect again. Default 15 minutes, which is Lambda's most. */
  readonly streamTimeout?: Duration;

  /** The folder with the functions' bundles, one folder each. Default: what the package brings. */
  readonly bundles?: string;
}

/** Checks what types cannot. Throws with the property, its value and what it may be. */
export function checkProps(props: EventLogProps): void {
  const { authorization, api, throttle, memoryMb, maxConcurrency, offsetsRetention, lagAlarms, queueAlarms } = props;
  if (authorization?.type === "none" && authorization.insecure !== true)
    throw new Error('authorization: { type: "none" } lets everybody read and write; say insecure: true where that is meant');
  if (authorization?.type === "jwt") {
    if (api === "rest") throw new Error('authorization: a REST API does not check JWTs; use api: "http", or { type: "iam" }');
    if (!authorization.issuer.startsWith("https://"))
      throw new Error(`authorization.issuer takes an https:// URL; it is ${JSON.stringify(authorization.issuer)}`);
    if (authorization.audience.length === 0) throw new Error("authorization.audience takes at least one audience");
  }
  if (throttle !== undefined) {
    checkWhole("throttle.ratePerSecond", throttle.ratePerSecond, 1, 1_000_000);
    checkWhole("throttle.burst", throttle.burst, 1, 1_000_000);
  }
  if (memoryMb !== undefined) checkWhole("memoryMb", memoryMb, 512, 10_240);
  if (maxConcurrency !== undefined) checkWhole("maxConcurrency", maxConcurrency, 1, 100_000);
  if (offsetsRetention !== undefined)
    checkWhole("offsetsRetention (minutes)", offsetsRetention.toSeconds() / 60, 1, 10 * 366 * 24 * 60);
  if (lagAlarms?.seconds !== undefined) checkWhole("lagAlarms.seconds", lagAlarms.seconds, 1, 1_000_000_000);
  if (lagAlarms?.records !== undefined) checkWhole("lagAlarms.records", lagAlarms.records, 1, 1_000_000_000_000);
  for (const named of lagAlarms?.groups ?? []) checkGroupAlarm(named);
  if (queueAlarms?.seconds !== undefined) checkWhole("queueAlarms.seconds", queueAlarms.seconds, 1, 1_000_000_000);
  for (const { seconds, depth, ...named } of queueAlarms?.queues ?? []) {
    checkDimensions("queueAlarms.queues", named);
    if (seconds !== undefined) checkWhole("queueAlarms.queues.seconds", seconds, 1, 1_000_000_000);
    if (depth !== undefined) checkWhole("queueAlarms.queues.depth", depth, 1, 1_000_000_000_000);
  }
  checkNotifiers(props.notifiers ?? []);
  for (const origin of props.corsOrigins ?? []) {
    if (origin !== "*" && !/^https?:\/\/[^/]+$/.test(origin))
      throw new Error(`corsOrigins takes origins like https://app.example, or *; it has ${JSON.stringify(origin)}`);
  }
}

function checkGroupAlarm({ group, topic, seconds, records }: LagGroupAlarm): void {
  checkDimensions("lagAlarms.groups", { group, topic });
  if (seconds !== undefined) checkWhole("lagAlarms.groups.seconds", seconds, 1, 1_000_000_000);
  if (records !== undefined) checkWhole("lagAlarms.groups.records", records, 1, 1_000_000_000_000);
}

/** As CloudWatch's dimensions take them unchanged. */
function checkDimensions(where: string, { group, topic }: { readonly group: string; readonly topic: string }): void {
  for (const [name, value] of Object.entries({ group, topic })) {
    if (!/^(?!:)[\x21-\x24\x26-\x7e]{1,255}$/.test(value))
      throw new Error(
        `${where}: a ${name} takes 1 to 255 visible ASCII characters but %, and no colon in front; it is ${JSON.stringify(value)}`,
      );
  }
}

function checkNotifiers(notifiers: readonly LagNotifier[]): void {
  const names = new Set<string>();
  for (const { name, topic, webhook } of notifiers) {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
      throw new Error(
        `notifiers: a name takes 1 to 64 letters, digits, dots, dashes and underscores; it is ${JSON.stringify(name)}`,
      );
    if (names.has(name)) throw new Error(`notifiers: two are called ${JSON.stringify(name)}`);
    names.add(name);
    if ((topic === undefined) === (webhook === undefined))
      throw new Error(`notifiers: ${JSON.stringify(name)} takes a topic or a webhook, and one of them alone`);
    if (webhook !== undefined && !webhook.url.startsWith("https://"))
      throw new Error(
        `notifiers: the webhook of ${JSON.stringify(name)} takes an https:// URL; it is ${JSON.stringify(webhook.url)}`,
      );
  }
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Error(`${name} takes a whole number from ${least} to ${most}; it is ${value}`);
}

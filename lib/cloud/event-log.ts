/** The log on AWS, as one construct: storage, functions, gateway, alarms. */
import { CfnOutput, Duration, Stack } from "aws-cdk-lib";
import type { IGrantable } from "aws-cdk-lib/aws-iam";
import { type FunctionUrl, FunctionUrlAuthType, HttpMethod, InvokeMode } from "aws-cdk-lib/aws-lambda";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { LogFunction, type LogFunctionProps } from "./functions.ts";
import { type Gateway, httpGateway, restGateway } from "./gateway.ts";
import { Monitoring, type ScheduledJob } from "./monitoring.ts";
import { addNotifiers } from "./notifiers.ts";
import { checkProps, type EventLogProps } from "./props.ts";
import { startEvery } from "./schedules.ts";
import { LogStorage } from "./storage.ts";

/** API Gateway answers 504 after 30 s (HTTP) or 29 s (REST). */
const API_TIMEOUT = Duration.seconds(29);
const JOBS = [
  { id: "Roll", every: Duration.minutes(1), timeout: Duration.minutes(2), description: "Turns what was appended into segments" },
  { id: "Merge", every: Duration.minutes(5), timeout: Duration.minutes(5), description: "Makes large segments of small ones" },
  {
    id: "Compact",
    every: Duration.minutes(5),
    timeout: Duration.minutes(14),
    description: "Keeps the latest record of each key",
  },
  { id: "Retain", every: Duration.minutes(5), timeout: Duration.minutes(2), description: "Gives up what retention says" },
  { id: "Sweep", every: Duration.minutes(15), timeout: Duration.minutes(14), description: "Deletes what nothing refers to" },
  {
    id: "Expire",
    every: Duration.minutes(15),
    timeout: Duration.minutes(5),
    description: "Gives up committed offsets of groups that are gone",
  },
  {
    id: "Queues",
    every: Duration.minutes(5),
    timeout: Duration.minutes(5),
    description: "Takes up in queues what nobody has asked for: locks that ran out, dead letters",
  },
  {
    id: "Transactions",
    every: Duration.minutes(1),
    timeout: Duration.minutes(1),
    description: "Ends transactions that are open for too long, or that a process which died has left",
  },
  { id: "Lag", every: Duration.minutes(1), timeout: Duration.minutes(1), description: "Looks at the lag of consumer groups" },
] as const;
const KINDS: Readonly<Record<string, LogFunctionProps["job"]>> = { Sweep: "sweeper", Lag: "lag", Expire: "groups" };

/** Those that only append (dead letters, markers) and work on groups do what the log does, and delete nothing of it. */
function kindOf(id: string): Pick<LogFunctionProps, "job"> {
  if (id === "Queues" || id === "Transactions") return {};
  return { job: KINDS[id] ?? "job" };
}
const DEFAULT_THROTTLE = { ratePerSecond: 1000, burst: 2000 };

/**
 * An event log: `new EventLog(stack, "Events")` and nothing more gives one for production, which IAM guards. Throws where a
 * property is wrong, and where the functions' bundles are not there.
 */
export class EventLog extends Construct {
  readonly storage: LogStorage;
  /** Without a slash at the end. */
  readonly apiUrl: string;
  /** Undefined with `stream: false`. */
  readonly streamUrl: string | undefined;
  readonly #gateway: Gateway;
  readonly #stream: FunctionUrl | undefined;

  constructor(scope: Construct, id: string, props: EventLogProps = {}) {
    super(scope, id);
    checkProps(props);
    const { dev = false, authorization = { type: "iam" }, corsOrigins = [], logRetention = RetentionDays.ONE_MONTH } = props;
    this.storage = new LogStorage(this, "Storage", { dev });
    const shared = {
      storage: this.storage,
      bundles: props.bundles,
      memoryMb: props.memoryMb ?? 1024,
      maxConcurrency: props.maxConcurrency,
      logRetention,
    };
    /** Nothing is asked before the functions are reached. */
    const isOpen = authorization.type === "none" || authorization.type === "token";
    const environment = {
      BROKERLESS_AUTH: authorization.type === "token" ? "token" : "none",
      ...(corsOrigins.length === 0 ? {} : { BROKERLESS_CORS: corsOrigins.join(",") }),
      ...(props.endpointUrl === undefined ? {} : { AWS_ENDPOINT_URL: props.endpointUrl }),
    };

    const { offsetsRetention } = props;
    const retention: Record<string, string> =
      offsetsRetention === undefined ? {} : { BROKERLESS_OFFSETS_RETENTION_MINUTES: String(offsetsRetention.toMinutes()) };

    const functions: Record<string, LogFunction> = {};
    const jobs: Record<string, ScheduledJob> = {};
    if (props.stream !== false) {
      functions["Stream"] = new LogFunction(this, "Stream", {
        ...shared,
        name: "stream",
        description: "The HTTP surface of an event log, for server-sent events and long answers",
        timeout: props.streamTimeout ?? Duration.minutes(15),
        environment,
      });
      this.#stream = functions["Stream"].lambda.addFunctionUrl({
        // A Function URL knows no JWT.
        authType: isOpen ? FunctionUrlAuthType.NONE : FunctionUrlAuthType.AWS_IAM,
        invokeMode: InvokeMode.RESPONSE_STREAM,
        ...(corsOrigins.length === 0
          ? {}
          : { cors: { allowedOrigins: [...corsOrigins], allowedMethods: [HttpMethod.ALL], allowedHeaders: ["*"] } }),
      });
    }
    this.streamUrl = this.#stream?.url;
    const api = new LogFunction(this, "Api", {
      ...shared,
      name: "api",
      description: "The HTTP surface of an event log",
      timeout: API_TIMEOUT,
      environment: { ...environment, ...(this.streamUrl === undefined ? {} : { BROKERLESS_STREAM_URL: this.streamUrl }) },
    });
    functions["Api"] = api;
    for (const job of JOBS) {
      const one = new LogFunction(this, job.id, {
        ...shared,
        name: job.id.toLowerCase(),
        description: job.description,
        timeout: job.timeout,
        maxConcurrency: undefined,
        environment: job.id === "Expire" ? { ...environment, ...retention } : environment,
        ...kindOf(job.id),
      });
      jobs[job.id] = { function: one, every: job.every };
      if (job.id === "Lag") addNotifiers(one, props.notifiers ?? [], this.storage);
      startEvery(one, job.every, props.api === "rest" ? "rule" : "schedule");
    }
    const gateway = props.api === "rest" ? restGateway : httpGateway;
    this.#gateway = gateway(this, {
      handler: api.lambda,
      authorization,
      throttle: props.throttle ?? DEFAULT_THROTTLE,
      corsOrigins,
      logRetention,
    });
    this.apiUrl = this.#gateway.url;
    new Monitoring(this, "Monitoring", {
      functions,
      jobs,
      gateway: this.#gateway,
      storage: this.storage,
      alarmActions: props.alarmActions ?? [],
      lagAlarms: props.lagAlarms ?? {},
      queueAlarms: props.queueAlarms ?? {},
      // No emulator has what the alarms over all groups are made of.
      lagQueries: props.endpointUrl === undefined,
      dashboard: props.dashboard ?? !dev,
    });
    this.#tell();
  }

  /** Lets a role or user call the API and the streaming URL, where IAM guards them. */
  grantCall(grantee: IGrantable): void {
    this.#gateway.grantCall(grantee);
    this.#stream?.grantInvokeUrl(grantee);
  }

  /** Lets a process of yours run the log itself over the table and the bucket (an agent). */
  grantLog(grantee: IGrantable): void {
    this.storage.grantLog(grantee);
  }

  #tell(): void {
    const { table, bucket } = this.storage;
    const output = (name: string, value: string, description: string): void => {
      new CfnOutput(this, name, { value, description });
    };
    output("ApiUrl", this.apiUrl, "the HTTP API of the log");
    if (this.streamUrl !== undefined) output("StreamUrl", this.streamUrl, "server-sent events and long answers");
    output("TableName", table.tableName, "order, offsets, small blobs");
    output("BucketName", bucket.bucketName, "blobs and segments");
    output("Region", Stack.of(this).region, "where it is");
  }
}

/** A storage over DynamoDB and S3, or whatever speaks like them. */
import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { type Clock, type Ids, type Metrics, NO_METRICS, type Storage } from "../../ports/index.ts";
import { AwsBlobs } from "./blobs.ts";
import { AwsBucket } from "./bucket.ts";
import { Calls, REQUEST_TIMEOUT_MS, WRITE_DEADLINE_MS } from "./calls.ts";
import { AwsHttp } from "./http.ts";
import { Objects } from "./objects.ts";
import { LOGGER } from "./parts.ts";
import { TableReads } from "./reads.ts";
import type { S3 } from "./s3.ts";
import { ClockSkew, SKEW_MOST_MS } from "./skew.ts";
import { AwsTable } from "./table.ts";

export interface AwsOptions {
  /** A table with the string keys `pk` and `sk`, and `ttl` as its time-to-live attribute. */
  readonly table: string;
  readonly bucket: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics?: Metrics;
  /** Default: what the SDK finds (`AWS_REGION`, the profile). */
  readonly region?: string;
  /** URL of DynamoDB. Default: `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`, else the region's own. */
  readonly endpoint?: string;
  /** URL of S3. Default: `endpoint`, then `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, else the region's own. */
  readonly s3Endpoint?: string;
  /** Default: what the SDK finds (environment, profile, role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  /**
   * How many commits may be under way at once. Each is one put to S3 at least, so more of them cost more; fewer make a
   * request wait for the one before it. Default 4.
   */
  readonly maxConcurrentCommits?: number;
  /** How far this machine's clock may be from the storage's before it no longer writes. Default 60 s. */
  readonly maxClockSkewMs?: number;
}

const MAX_SOCKETS = 128;

/** Opens the storage. Nothing is asked of AWS before the first call. */
export function awsStorage(options: AwsOptions): Storage {
  const { table: tableName, bucket: bucketName, clock, ids, metrics = NO_METRICS } = options;
  // An empty variable is one that is not set.
  const region = options.region ?? (process.env["AWS_REGION"] || undefined);
  const skew = new ClockSkew(clock, options.maxClockSkewMs ?? SKEW_MOST_MS);
  const http = new AwsHttp({
    clock,
    maxSockets: MAX_SOCKETS,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    onReply: ({ date }) => skew.observe(date),
  });
  const shared = {
    // The clients' own retries would repeat a write whose answer was lost.
    maxAttempts: 1,
    requestHandler: http,
    ...(region === undefined ? {} : { region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  } satisfies DynamoDBClientConfig & S3ClientConfig;
  const dynamo = new DynamoDBClient({ ...shared, ...endpointOf(options.endpoint) });
  dynamo.middlewareStack.remove(LOGGER);
  const s3Endpoint = options.s3Endpoint ?? options.endpoint;
  const s3Config: S3ClientConfig = {
    ...shared,
    ...endpointOf(s3Endpoint),
    // Emulators have no host name for each bucket.
    forcePathStyle: s3Endpoint !== undefined || NAMED_ENDPOINTS.some((name) => process.env[name] !== undefined),
    // It would cost a trip: the body of a put that is refused is sent in vain instead.
    expectContinueHeader: false,
    // Batches carry a CRC of their own.
    responseChecksumValidation: "WHEN_REQUIRED",
  };
  // S3 is the larger one of the clients; without it a Lambda starts sooner.
  let s3: Promise<S3> | undefined;
  const loadS3 = (): Promise<S3> => {
    s3 ??= import("./s3.ts").then(({ openS3 }) => openS3(s3Config));
    return s3;
  };
  const calls = new Calls({ clock, ids, metrics, skew });
  const tableParts = { client: dynamo, tableName, region, clock, ids, metrics, calls };
  const reads = new TableReads(tableParts);
  calls.setProbe(() => reads.get({ pk: "META", sk: "CLOCK" }));
  const objects = new Objects({ s3: loadS3, bucketName, region, clock, calls });
  const blobs = new AwsBlobs(tableParts, reads, objects);
  return {
    kind: "aws",
    table: new AwsTable(tableParts, reads, (op, untilMs) => blobs.put(op, untilMs)),
    blobs,
    bucket: new AwsBucket(objects),
    maxConcurrentCommits: options.maxConcurrentCommits ?? 4,
    writeDeadlineMs: WRITE_DEADLINE_MS,
    clockSkewMs: options.maxClockSkewMs ?? SKEW_MOST_MS,
    durability: "several copies in at least three availability zones (DynamoDB, S3)",
    async close() {
      await calls.close();
      http.destroy();
    },
  };
}

const NAMED_ENDPOINTS = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

function endpointOf(endpoint: string | undefined): { readonly endpoint?: string } {
  return endpoint === undefined ? {} : { endpoint };
}

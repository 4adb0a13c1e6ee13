/** Makes a table and a bucket as the storage wants them, for tests and local use; a deployment's stack makes its own. */
import {
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, DeleteBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../../ports/index.ts";
import type { AwsOptions } from "./storage.ts";

type Place = Pick<AwsOptions, "table" | "bucket" | "region" | "endpoint" | "s3Endpoint" | "credentials">;
type CreateOptions = Place & { readonly clock: Clock };

const TABLE_READY_MS = 60_000;

/** Resolves when both can be used; what is there already stays as it is. */
export async function createTableAndBucket(options: CreateOptions): Promise<void> {
  const { dynamo, s3 } = clients(options);
  try {
    await Promise.all([createTable(dynamo, options), createBucket(s3, options)]);
  } finally {
    dynamo.destroy();
    s3.destroy();
  }
}

/** Deletes the table with all that is in it, and the bucket, which must be empty. */
export async function deleteTableAndBucket(options: Place): Promise<void> {
  const { dynamo, s3 } = clients(options);
  try {
    await Promise.all([
      dynamo.send(new DeleteTableCommand({ TableName: options.table })),
      s3.send(new DeleteBucketCommand({ Bucket: options.bucket })),
    ]);
  } finally {
    dynamo.destroy();
    s3.destroy();
  }
}

function clients(options: Place): { readonly dynamo: DynamoDBClient; readonly s3: S3Client } {
  const { region, endpoint, credentials } = options;
  const shared = { ...(region === undefined ? {} : { region }), ...(credentials === undefined ? {} : { credentials }) };
  const s3Endpoint = options.s3Endpoint ?? endpoint;
  return {
    dynamo: new DynamoDBClient({ ...shared, ...(endpoint === undefined ? {} : { endpoint }) }),
    s3: new S3Client({ ...shared, forcePathStyle: true, ...(s3Endpoint === undefined ? {} : { endpoint: s3Endpoint }) }),
  };
}

async function createTable(client: DynamoDBClient, { table, clock }: CreateOptions): Promise<void> {
  const create = new CreateTableCommand({
    TableName: table,
    BillingMode: "PAY_PER_REQUEST",
    KeySchema: [
      { AttributeName: "pk", KeyType: "HASH" },
      { AttributeName: "sk", KeyType: "RANGE" },
    ],
    AttributeDefinitions: [
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "S" },
    ],
  });
  const isNew = await unless(client.send(create), "ResourceInUseException");
  const untilMs = clock.monotonicMs() + TABLE_READY_MS;
  for (;;) {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
    if (Table?.TableStatus === "ACTIVE") break;
    if (clock.monotonicMs() > untilMs)
      throw new Error(`table "${table}" is ${Table?.TableStatus} after ${TABLE_READY_MS / 1000} s`);
    await clock.sleep(200);
  }
  if (!isNew) return;
  const TimeToLiveSpecification = { AttributeName: "ttl", Enabled: true };
  await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification }));
}

async function createBucket(client: S3Client, { bucket }: CreateOptions): Promise<void> {
  const region = await client.config.region();
  // The oldest region is the one that must not be named.
  const where = region === "us-east-1" ? {} : { CreateBucketConfiguration: { LocationConstraint: region as "eu-west-1" } };
  await unless(client.send(new CreateBucketCommand({ Bucket: bucket, ...where })), "BucketAlreadyOwnedByYou");
}

/** False where it failed for this reason. */
async function unless(request: Promise<unknown>, name: string): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if ((error as Error).name === name) return false;
    throw error;
  }
}

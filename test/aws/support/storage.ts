/** Storages over an AWS endpoint, each test file with a table and a bucket of its own. */
import { randomBytes } from "node:crypto";
import type { Clock, Storage } from "../../../lib/ports/index.ts";
import { createTableAndBucket, deleteTableAndBucket } from "../../../lib/storage/aws/create.ts";
import { type AwsOptions, awsStorage } from "../../../lib/storage/aws/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";

/** What a storage needs beside clock and ids. */
export type Place = Pick<AwsOptions, "table" | "bucket" | "endpoint" | "s3Endpoint" | "region" | "credentials">;

/** Emulators take any; a real endpoint takes what the environment names. */
export const EMULATED: Pick<AwsOptions, "region" | "credentials"> =
  process.env["AWS_ACCESS_KEY_ID"] === undefined
    ? { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } }
    : {};

const made: Place[] = [];

/** A new table and a new bucket; `dropPlaces` takes them away. */
export async function makePlace(endpoint: string, s3Endpoint = endpoint): Promise<Place> {
  const name = `brokerless-test-${randomBytes(6).toString("hex")}`;
  const place = { table: name, bucket: name, endpoint, s3Endpoint, ...EMULATED };
  await createTableAndBucket({ ...place, clock: systemClock });
  made.push(place);
  return place;
}

/** Deletes every table and bucket that this test file made: an account is no place to leave them. */
export async function dropPlaces(): Promise<void> {
  for (const place of made.splice(0)) {
    const { bucket, close } = openStorage(place);
    for await (const page of bucket.list("")) await bucket.delete(page.map(({ key }) => key));
    await close();
    await deleteTableAndBucket(place);
  }
}

export function openStorage(place: Place, more: Partial<AwsOptions> = {}, clock: Clock = systemClock): Storage {
  return awsStorage({ ...place, clock, ids: systemIds(clock), ...more });
}

/** The contract suite over AWS, or what stands for it. */
import { afterAll, describe, inject } from "vitest";
import { type Backend, movableClock } from "../contract/backend.ts";
import { blobsContract } from "../contract/blobs.contract.ts";
import { bucketContract } from "../contract/bucket.contract.ts";
import { storageContract } from "../contract/storage.contract.ts";
import { tableContract } from "../contract/table.contract.ts";
import { dropPlaces, makePlace, openStorage, type Place } from "./support/storage.ts";

function contract(endpoint: string, s3Endpoint: string): void {
  let place: Promise<Place> | undefined;
  async function aws(): Promise<Backend> {
    place ??= makePlace(endpoint, s3Endpoint);
    const at = await place;
    const { clock, passTime } = movableClock();
    // Time is passed by putting our clock forward, far away from the endpoint's.
    const open = () => openStorage(at, { maxClockSkewMs: Number.POSITIVE_INFINITY }, clock);
    const storage = open();
    return { storage, clock, passTime, reopen: async () => open(), dispose: () => storage.close() };
  }
  tableContract(aws);
  blobsContract(aws);
  bucketContract(aws);
  storageContract(aws);
}

afterAll(dropPlaces);

const endpoint = inject("awsEndpoint");
const dynamodbLocal = inject("dynamodbLocalEndpoint");

describe("DynamoDB and S3 of one endpoint", () => contract(endpoint, endpoint));
describe.skipIf(dynamodbLocal === undefined)("DynamoDB Local (needs Java and Maven, and no AWS_ENDPOINT_URL)", () =>
  contract(dynamodbLocal ?? "", endpoint),
);

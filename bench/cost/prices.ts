/**
 * List prices in US dollars for us-east-1, without free tiers, discounts and taxes. None was read from AWS's price list, which
 * pages load as they are shown. Each says below how it is known:
 *
 * - `confirmed`: searched for on the date below and found so, on a page of AWS or in an article of 2024 or later that quotes it;
 * - `known`: the list price as it is commonly known; not found in writing that is recent. It may have changed.
 *
 * AWS's calculator has the last word. The service's own page is aws.amazon.com/<service>/pricing.
 */
export const PRICES_AS_OF = "2026-11-23";

const MILLION = 1e6;
const THOUSAND = 1e3;

/** Each for one unit. */
export const PRICES = {
  /** Lambda, confirmed. */
  lambdaRequest: 0.2 / MILLION,
  /** Lambda on arm64, the first 7.5 billion a month, confirmed. */
  lambdaGbSecond: 0.0000133334,
  /** API Gateway, HTTP API, the first 300 million a month, each begun 512 KB: confirmed. */
  httpApiRequest: 1 / MILLION,
  /** DynamoDB on demand, since November 2024: confirmed. */
  dynamoWriteUnit: 0.625 / MILLION,
  /** DynamoDB on demand, since November 2024: confirmed. */
  dynamoReadUnit: 0.125 / MILLION,
  /** S3 Standard, known. */
  s3Put: 0.005 / THOUSAND,
  /** S3 Standard, known. */
  s3Get: 0.0004 / THOUSAND,
  /** S3 Standard, the first 50 TB: known. */
  s3GbMonth: 0.023,
  /** CloudWatch Logs, a GB taken in: confirmed. */
  logGb: 0.5,
  /** CloudWatch, of standard resolution: confirmed. */
  alarmMonth: 0.1,
  /** CloudWatch, the first 10,000: confirmed. */
  metricMonth: 0.3,
  /** CloudWatch: confirmed. */
  dashboardMonth: 3,
  /** EventBridge Scheduler: confirmed. */
  schedulerStart: 1 / MILLION,
  /** To the internet, the first 10 TB a month: confirmed. Inside a region it is free. */
  transferOutGb: 0.09,
} as const;

/** What the others ask for the same. */
export const PEER_PRICES = {
  /** Kinesis Data Streams, on demand: a record counts as whole KB; 24 hours of retention are in it. Confirmed. */
  kinesis: { streamHour: 0.04, inGb: 0.08, outGb: 0.04 },
  /** MSK Serverless. Known: found so in a list of 2022, and in none since. */
  msk: { clusterHour: 0.75, partitionHour: 0.0015, inGb: 0.1, outGb: 0.05, gbMonth: 0.1 },
  /** SQS standard queues: a request carries up to ten messages, and counts once for each begun 64 KB. Confirmed. */
  sqs: { request: 0.4 / MILLION, messagesMost: 10, chunkBytes: 64 * 1024 },
} as const;

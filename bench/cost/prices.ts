/**
 * List prices in US dollars for us-east-1, without free tiers, discounts and taxes. As they were known on the date below, from
 * AWS's public price pages and from articles that quote them; AWS's calculator has the last word.
 */
export const PRICES_AS_OF = "2026-11-23";

const MILLION = 1e6;
const THOUSAND = 1e3;

/** Each for one unit. */
export const PRICES = {
  /** aws.amazon.com/lambda/pricing: arm64. */
  lambdaRequest: 0.2 / MILLION,
  lambdaGbSecond: 0.0000133334,
  /** aws.amazon.com/api-gateway/pricing: HTTP API, for each begun 512 KB. */
  httpApiRequest: 1 / MILLION,
  /** aws.amazon.com/dynamodb/pricing/on-demand: since November 2024. */
  dynamoWriteUnit: 0.625 / MILLION,
  dynamoReadUnit: 0.125 / MILLION,
  dynamoGbMonth: 0.25,
  /** Point-in-time recovery, for each GB of the table. */
  dynamoRecoveryGbMonth: 0.2,
  /** aws.amazon.com/s3/pricing: Standard. */
  s3Put: 0.005 / THOUSAND,
  s3Get: 0.0004 / THOUSAND,
  s3GbMonth: 0.023,
  /** aws.amazon.com/cloudwatch/pricing. */
  logGb: 0.5,
  alarmMonth: 0.1,
  metricMonth: 0.3,
  dashboardMonth: 3,
  /** aws.amazon.com/eventbridge/pricing: Scheduler. */
  schedulerStart: 1 / MILLION,
  /** aws.amazon.com/ec2/pricing/on-demand: to the internet; inside a region it is free. */
  transferOutGb: 0.09,
} as const;

/** What the others ask for the same, from their price pages on aws.amazon.com. */
export const PEER_PRICES = {
  /** Kinesis Data Streams, on demand: a record counts as whole KB; 24 hours of retention are in it. */
  kinesis: { streamHour: 0.04, inGb: 0.08, outGb: 0.04 },
  /** MSK Serverless. */
  msk: { clusterHour: 0.75, partitionHour: 0.0015, inGb: 0.1, outGb: 0.05, gbMonth: 0.1 },
  /** SQS standard queues: a request carries up to ten messages, and counts once for each begun 64 KB. */
  sqs: { request: 0.4 / MILLION, messagesMost: 10, chunkBytes: 64 * 1024 },
} as const;

export { type AwsOptions, awsStorage } from "./storage.ts";

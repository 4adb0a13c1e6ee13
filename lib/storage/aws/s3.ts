/** The part of the S3 client that is used, in a module of its own: loaded with the first request to S3, and not before. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { LOGGER } from "./parts.ts";

const COMMANDS = {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
};

export type S3 = typeof COMMANDS & { readonly client: S3Client };

export function openS3(config: S3ClientConfig): S3 {
  const client = new S3Client(config);
  client.middlewareStack.remove(LOGGER);
  return { ...COMMANDS, client };
}

import type { Json, JsonObject } from "../protocol/json.js";

/** Reading what clients send, without trust in its shape. */

export function objectOf(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

export function listOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

export function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** The text of a message's content, plain or in blocks. */
export function contentText(content: Json | undefined): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map((block) =>
      block["text"] === undefined ? contentText(block["content"]) : textOf(block["text"]),
    )
    .join("");
}

/** What function names must look like. */
export const FUNCTION_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

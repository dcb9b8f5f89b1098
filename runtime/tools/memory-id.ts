import { z } from "zod";

/** The id of a memory as memory_query gave it. */
export const MemoryIdText = z.string().regex(/^[0-9A-Za-z]{26}$/, "is no memory id: 26 characters");

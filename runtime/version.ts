/** The product's version; `package.json` and the packages say the same, held equal by a test. */
export const VERSION = "0.1.0";

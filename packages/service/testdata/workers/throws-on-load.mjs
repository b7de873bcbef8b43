throw new Error("no good at all");

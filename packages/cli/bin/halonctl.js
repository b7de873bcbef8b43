#!/usr/bin/env node
import { halonctl } from "../dist/bundle/halonctl.js";

await halonctl();

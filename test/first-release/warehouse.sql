-- A warehouse of the first release, with three declarations.
CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE imports (
    id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, mapping TEXT NOT NULL,
    currency TEXT NOT NULL, importedAt TEXT NOT NULL, counts TEXT NOT NULL
  ) STRICT;
CREATE TABLE periods (
    dataset TEXT NOT NULL, period INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('complete', 'provisional')),
    version INTEGER NOT NULL, asOf TEXT NOT NULL, PRIMARY KEY (dataset, period)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE "dataset declarations" ("import" INTEGER NOT NULL, "flow" INTEGER, "period" INTEGER NOT NULL, "hs2" INTEGER, "hs4" INTEGER, "hs6" INTEGER, "origin" INTEGER, "consignment" INTEGER, "destination" INTEGER, "procedure" INTEGER, "transport" INTEGER, "quantityUnit" INTEGER, "value" INTEGER, "netMass" INTEGER, "quantity" INTEGER, "duty" INTEGER, "taxes" INTEGER, "hs6 raw" TEXT, "trader" TEXT, "key" TEXT) STRICT;
INSERT INTO "codes" VALUES (1, 'import');
INSERT INTO "codes" VALUES (2, 'CN');
INSERT INTO "codes" VALUES (3, '85');
INSERT INTO "codes" VALUES (4, '8517');
INSERT INTO "codes" VALUES (5, '851712');
INSERT INTO "codes" VALUES (6, 'DE');
INSERT INTO "codes" VALUES (7, '01');
INSERT INTO "codes" VALUES (8, '0101');
INSERT INTO "codes" VALUES (9, '010121');
INSERT INTO "codes" VALUES (10, 'export');
INSERT INTO "codes" VALUES (11, '99');
INSERT INTO "codes" VALUES (12, '9999');
INSERT INTO "codes" VALUES (13, '999999');
INSERT INTO "imports" VALUES (1, 'declarations', 'w.csv', '262d1b1e23bcb6cd401d750557f2fbd1ad8121b80a4a0d0fcb852921ad55f333', 'ba1047bbf69fd6b28d76cd1b2ca036c82f4e71610301421935d42d01a052331e', 'USD', '1970-01-01T00:00:00.000Z', '{"read":3,"loaded":3,"replaced":0,"rejected":0,"removed":0}');
INSERT INTO "periods" VALUES ('declarations', 24240, 'complete', 1, '1970-01-01T00:00:00.000Z');
INSERT INTO "periods" VALUES ('declarations', 24241, 'provisional', 1, '1970-01-01T00:00:00.000Z');
INSERT INTO "dataset declarations" VALUES (1, 1, 24240, 3, 4, 5, 2, NULL, NULL, NULL, NULL, NULL, 1050, NULL, NULL, NULL, NULL, '851712', 'Acme', 'A1');
INSERT INTO "dataset declarations" VALUES (1, 1, 24240, 7, 8, 9, 6, NULL, NULL, NULL, NULL, NULL, 333, NULL, NULL, NULL, NULL, '010121', 'Acme', 'A2');
INSERT INTO "dataset declarations" VALUES (1, 10, 24241, 11, 12, 13, NULL, NULL, NULL, NULL, NULL, NULL, 100, NULL, NULL, NULL, NULL, '999999', NULL, 'A3');
CREATE UNIQUE INDEX "dataset declarations key" ON "dataset declarations" (key) WHERE key IS NOT NULL;

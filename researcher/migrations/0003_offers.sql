CREATE TABLE `ledger` (
	`history` integer NOT NULL,
	`index` integer NOT NULL,
	`typ` text NOT NULL,
	`message` text NOT NULL,
	`content` text,
	PRIMARY KEY(`history`, `index`)
);
--> statement-breakpoint
CREATE TABLE `offers` (
	`member` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`issued_at` integer NOT NULL
);

CREATE TABLE `log_hashes` (
	`height` integer NOT NULL,
	`index` integer NOT NULL,
	`hash` blob NOT NULL,
	PRIMARY KEY(`height`, `index`)
);
--> statement-breakpoint
CREATE INDEX `log_by_message` ON `log` (`message`);
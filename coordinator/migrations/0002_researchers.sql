CREATE TABLE `logins` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `logins_by_researcher` ON `logins` (`researcher`);--> statement-breakpoint
CREATE TABLE `revocations` (
	`id` text PRIMARY KEY NOT NULL,
	`target` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `revocations_by_target` ON `revocations` (`target`);--> statement-breakpoint
CREATE TABLE `sponsorships` (
	`id` text PRIMARY KEY NOT NULL,
	`sponsor` text NOT NULL,
	`researcher` text,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `sponsorships_by_researcher` ON `sponsorships` (`researcher`);--> statement-breakpoint
ALTER TABLE `parties` ADD `sponsor` text;
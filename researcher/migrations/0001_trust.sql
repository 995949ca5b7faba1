CREATE TABLE `certificates` (
	`id` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`learned_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `checkpoints` (
	`checkpoint` text PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`root` text NOT NULL,
	`shown_at` integer NOT NULL,
	`history` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `checkpoints_of_one_history` ON `checkpoints` (`history`,`size`) WHERE "checkpoints"."history" > 0;--> statement-breakpoint
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
--> statement-breakpoint
CREATE TABLE `readings` (
	`query` text PRIMARY KEY NOT NULL,
	`content` text NOT NULL,
	FOREIGN KEY (`query`) REFERENCES `queries`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `releases` (
	`query` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`compact` text NOT NULL,
	`released_at` integer NOT NULL,
	FOREIGN KEY (`query`) REFERENCES `queries`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
ALTER TABLE `queries` ADD `seed` blob;--> statement-breakpoint
ALTER TABLE `queries` ADD `sum` text;--> statement-breakpoint
ALTER TABLE `queries` ADD `revealed_at` integer;
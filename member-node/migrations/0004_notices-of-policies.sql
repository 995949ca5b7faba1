DROP TABLE `notices`;--> statement-breakpoint
CREATE TABLE `notices` (
	`subject` text NOT NULL,
	`event` text NOT NULL,
	`way` text NOT NULL,
	`tries` integer NOT NULL,
	`next_try` integer NOT NULL,
	`sent_at` integer,
	PRIMARY KEY(`subject`, `event`, `way`)
);

"""The world of the stories of make_text.py: who lives in it, what there is, and which things belong together.

Every table pairs words that a reader can learn to expect together: a name with a pronoun and a kind, a place with the
spots where a thing can hide there, a toy with what it does and how it breaks. Standard library only.
"""

# name: (pronoun, kind); a name always belongs to the same kind of character.
CHARACTERS = {
    "Mia": ("she", "girl"), "Lily": ("she", "girl"), "Anna": ("she", "girl"), "Rose": ("she", "girl"),
    "Emma": ("she", "girl"), "Zoe": ("she", "girl"), "Nora": ("she", "girl"), "Ruby": ("she", "girl"),
    "Tom": ("he", "boy"), "Ben": ("he", "boy"), "Sam": ("he", "boy"), "Max": ("he", "boy"),
    "Leo": ("he", "boy"), "Jack": ("he", "boy"), "Noah": ("he", "boy"), "Finn": ("he", "boy"),
    "Pip": ("he", "rabbit"), "Bruno": ("he", "bear"), "Olga": ("she", "owl"), "Fern": ("she", "fox"),
    "Dot": ("she", "duck"), "Moss": ("he", "frog"), "Tilly": ("she", "mouse"), "Spike": ("he", "hedgehog"),
}

# place: (how one is there, spots where something can be)
PLACES = {
    "garden": ("in the garden", ["under a bush", "behind the shed", "between the flowers"]),
    "kitchen": ("in the kitchen", ["under the table", "behind the stove", "in the cupboard"]),
    "forest": ("in the forest", ["under a fallen log", "behind a big tree", "in a pile of leaves"]),
    "park": ("in the park", ["under the bench", "near the fountain", "behind the swings"]),
    "barn": ("in the barn", ["in the hay", "behind the ladder", "under an old cart"]),
    "beach": ("on the beach", ["behind a rock", "in the sand", "under a small boat"]),
    "river": ("by the river", ["between two stones", "under the bridge", "in the reeds"]),
    "market": ("at the market", ["under a cart", "behind the apple stand", "next to the well"]),
    "school": ("at school", ["under a desk", "behind the bookcase", "in the corner"]),
    "library": ("in the library", ["under a chair", "on a high shelf", "behind the curtain"]),
    "hill": ("on the hill", ["in the tall grass", "behind a stone wall", "under the oak tree"]),
    "attic": ("in the attic", ["in a dusty box", "under a blanket", "behind an old mirror"]),
    "meadow": ("in the meadow", ["in the clover", "behind a fence", "under a thorn bush"]),
    "farm": ("on the farm", ["in the corn", "behind the water tank", "under the hen house"]),
}

# toy: (what it does in play, how it breaks, what mends it)
TOYS = {
    "ball": ("bounced high", "had a hole in it", "a patch"),
    "kite": ("flew up into the wind", "had a torn tail", "some tape"),
    "boat": ("floated on the water", "had a broken mast", "a stick"),
    "drum": ("went boom, boom, boom", "had a split skin", "a piece of leather"),
    "wagon": ("rolled down the path", "had lost a wheel", "a new wheel"),
    "doll": ("sat up and smiled", "had a torn dress", "a needle and thread"),
    "train": ("went round and round", "had a loose wheel", "a screw"),
    "top": ("spun for a long time", "had a bent tip", "a hammer"),
    "puppet": ("danced on its strings", "had a loose string", "a knot"),
    "robot": ("walked and beeped", "had an empty battery", "a new battery"),
    "whistle": ("made a loud, clear sound", "was full of mud", "some water"),
    "lantern": ("shone in the dark", "had no candle left", "a new candle"),
}
THINGS = ["key", "ring", "book", "hat", "coin", "scarf", "bell", "cup", "map", "button", "shell", "feather"]
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "brown", "orange", "purple", "silver"]
SIZES = ["little", "big", "old", "new", "shiny", "tiny", "round", "pretty"]

FOODS = ["apple", "pear", "plum", "carrot", "cookie", "bun", "egg", "nut", "berry", "orange"]
PLURAL = {"berry": "berries"}
# dish: what goes in (mass nouns); one of them is missing in the story
DISHES = {
    "cake": ["flour", "sugar", "butter"], "soup": ["salt", "cream", "pepper"],
    "bread": ["flour", "salt", "yeast"], "pie": ["butter", "flour", "honey"],
    "jam": ["sugar", "fruit", "honey"], "porridge": ["cream", "milk", "honey"],
}
ELDERS = {
    "Mother": "she", "Father": "he", "Grandma": "she", "Grandpa": "he", "Aunt May": "she", "Uncle Joe": "he",
    "the farmer": "he", "the baker": "she", "the teacher": "she", "the old sailor": "he",
}
# a creature in trouble: (the trouble, how to help, where it goes then)
TROUBLES = {
    "kitten": ("was stuck high in a tree", "brought a ladder", "climbed down"),
    "puppy": ("had a thorn in its paw", "pulled the thorn out", "licked {ho}"),
    "bird": ("had fallen out of its nest", "put it back in the nest", "began to sing"),
    "lamb": ("was caught in a fence", "lifted the wire", "ran to its mother"),
    "turtle": ("was lying on its back", "turned it over", "crawled to the water"),
    "bee": ("was wet and could not fly", "set it on a warm leaf", "flew away"),
    "pony": ("was lost and hungry", "gave it some hay", "followed {ho} home"),
    "squirrel": ("was trapped in a box", "opened the lid", "jumped out"),
}
# fear: (when it comes, what it turns out to be)
FEARS = {
    "the dark": ("When the lamp went out", "only a quiet room full of stars"),
    "the storm": ("When the thunder roared", "only noise, and it soon passed"),
    "the big dog": ("When the dog barked", "a gentle dog that wanted to play"),
    "the deep water": ("When the waves came in", "warm and not so deep at all"),
    "the strange noise": ("When something went knock, knock", "just a branch at the window"),
    "the shadow on the wall": ("When the shadow moved", "just a coat on a hook"),
}
# plant: what it gives in the end
PLANTS = {
    "bean": "a tall green vine", "sunflower": "a huge yellow flower", "pumpkin": "a fat orange pumpkin",
    "rose": "a sweet red rose", "tomato": "ten ripe tomatoes", "apple": "a small apple tree",
}
# weather: (as it is said, what the day is for, what it does to one who is not ready, what would have helped)
WEATHER = {
    "sunny": ("The sun was shining.", "hot and thirsty", "hat"),
    "rainy": ("It was raining.", "wet to the skin", "umbrella"),
    "windy": ("A strong wind was blowing.", "cold and out of breath", "scarf"),
    "snowy": ("Snow was falling.", "so cold that {hs} teeth shook", "coat"),
}
MOODS = ["kind", "brave", "curious", "clever", "quiet", "cheerful", "shy", "stubborn", "gentle", "careful"]
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
